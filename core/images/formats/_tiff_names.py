"""What the planes of a TIFF are called: by OME-XML, by ImageJ, or by their page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice

Label = Callable[[int], str]  # of the page at a position

# Only attributes are looked for; no XML reader, whose entities can unfold to gigabytes, sees the text.
_PIXELS = re.compile(rb"<(?:\w+:)?Pixels\s([^>]*)>")
_PLACED = re.compile(rb"<(?:\w+:)?TiffData\s([^>]*)>(?:\s*<(?:\w+:)?UUID(?:\s[^>]*)?>([^<]{0,64})<)?")
_OWN_NAME = re.compile(rb"<(?:\w+:)?OME\s[^>]*?\bUUID\s*=\s*[\"']([^\"']{0,64})[\"']")
_ATTRIBUTE = re.compile(rb"(\w+)\s*=\s*[\"']([^\"']{0,64})[\"']")
_IMAGEJ = re.compile(rb"^(channels|slices|frames)=(\d{1,9})\s*$", re.MULTILINE)
_ORDERS = {b"XY" + bytes(order) for order in (b"CZT", b"CTZ", b"ZCT", b"ZTC", b"TCZ", b"TZC")}
_MOST_PLANES = 1_000_000
_MOST_IMAGES = 1_000


def page_labels(description: bytes) -> Label:
    """How the pages of a file are called, of which the first one has this description."""
    if b"<" in description[:256] and (found := list(islice(_PIXELS.finditer(description), _MOST_IMAGES))):
        return _ome(description, found)
    if description.startswith(b"ImageJ="):
        sizes = {name: int(number) for name, number in _IMAGEJ.findall(description)}
        return _planes(
            [("c", sizes.get(b"channels", 1)), ("z", sizes.get(b"slices", 1)), ("t", sizes.get(b"frames", 1))]
        )
    return _page


def _page(page: int) -> str:
    return f"page {page + 1}"


def _planes(fastest_first: Sequence[tuple[str, int]]) -> Label:
    """Pages that go through these axes in order; an axis of one place is not named."""
    total = 1
    for _, size in fastest_first:
        total *= max(size, 1)
    named = {axis for axis, size in fastest_first if size > 1}

    def label(page: int) -> str:
        if page >= total or not named:
            return _page(page)
        places = {}
        rest = page
        for axis, size in fastest_first:
            rest, places[axis] = divmod(rest, max(size, 1))
        return " · ".join(f"{axis} {places[axis]}" for axis in "czt" if axis in named)

    return label


def _ome(description: bytes, found: Sequence[re.Match[bytes]]) -> Label:
    """By what is said of each image, and of several files of the pages of this one."""
    own = _OWN_NAME.search(description, 0, found[0].start())
    name = own[1].strip() if own else b""
    ends = [*(one.start() for one in found[1:]), len(description)]
    images = [_ome_image(dict(_ATTRIBUTE.findall(one[1])), description[one.end() : end], name)
              for one, end in zip(found, ends, strict=True)]  # fmt: skip
    if len(images) == 1:
        places, by_order = images[0]
        return lambda page: by_order(places.get(page, page))
    labels = {page: (number, plane, by_order) for number, (places, by_order) in enumerate(images)
              for page, plane in places.items()}  # fmt: skip
    several = len({number for number, *_ in labels.values()}) > 1

    def label(page: int) -> str:
        if page not in labels:
            return _page(page)
        number, plane, by_order = labels[page]
        return f"image {number + 1} · {by_order(plane)}" if several else by_order(plane)

    return label


def _ome_image(pixels: dict[bytes, bytes], behind: bytes, own: bytes) -> tuple[dict[int, int], Label]:
    """Which plane each page of this file is, and what planes are called."""
    order = pixels.get(b"DimensionOrder", b"XYCZT")
    if order not in _ORDERS:
        return {}, _page
    axes = order[2:].decode().lower()
    sizes = {axis: _number(pixels.get(b"Size" + axis.upper().encode(), b"")) or 1 for axis in axes}
    if sizes["c"] > 1 and (samples := re.search(rb"SamplesPerPixel\s*=\s*[\"'](\d{1,4})[\"']", behind)):
        sizes["c"] = max(1, sizes["c"] // max(1, int(samples[1])))  # colours of one page count as channels in OME
    places: dict[int, int] = {}
    for found in _PLACED.finditer(behind):
        if own and found[2] and found[2].strip() != own:
            continue  # in another file
        attributes = dict(_ATTRIBUTE.findall(found[1]))
        page = _number(attributes.get(b"IFD", b"0"))
        plane, step = 0, 1
        for axis in axes:
            plane += step * _number(attributes.get(b"First" + axis.upper().encode(), b"0"))
            step *= sizes[axis]
        count = _number(attributes.get(b"PlaneCount", b"1" if b"IFD" in attributes else b"0"))
        for offset in range(min(count, _MOST_PLANES - len(places))):
            places[page + offset] = plane + offset
    return places, _planes([(axis, sizes[axis]) for axis in axes])


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) <= 9 else 0
