"""What the planes of a TIFF are called: by OME-XML, by ImageJ, or by their page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Label = Callable[[int], str]  # of the page at a position

# Only attributes are looked for; no XML reader, whose entities can unfold to gigabytes, sees the text.
_PIXELS = re.compile(rb"<(?:\w+:)?Pixels\s([^>]*)>")
_PLACED = re.compile(rb"<(?:\w+:)?TiffData\s([^>]*)>")
_ATTRIBUTE = re.compile(rb"(\w+)\s*=\s*[\"']([^\"']{0,64})[\"']")
_IMAGEJ = re.compile(rb"^(channels|slices|frames)=(\d{1,9})\s*$", re.MULTILINE)
_ORDERS = {b"XY" + bytes(order) for order in (b"CZT", b"CTZ", b"ZCT", b"ZTC", b"TCZ", b"TZC")}
_MOST_PLANES = 1_000_000


def page_labels(description: bytes) -> Label:
    """How the pages of a file are called, of which the first one has this description."""
    if b"<" in description[:256] and (found := _PIXELS.search(description)):
        return _ome(dict(_ATTRIBUTE.findall(found[1])), description[found.end() :])
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


def _ome(pixels: dict[bytes, bytes], behind: bytes) -> Label:
    order = pixels.get(b"DimensionOrder", b"XYCZT")
    if order not in _ORDERS:
        return _page
    axes = order[2:].decode().lower()
    sizes = {axis: _number(pixels.get(b"Size" + axis.upper().encode(), b"")) or 1 for axis in axes}
    if sizes["c"] > 1 and (samples := re.search(rb"SamplesPerPixel\s*=\s*[\"'](\d{1,4})[\"']", behind)):
        sizes["c"] = max(1, sizes["c"] // max(1, int(samples[1])))  # colours of one page count as channels in OME
    by_order = _planes([(axis, sizes[axis]) for axis in axes])
    places: dict[int, int] = {}  # page -> plane, in the order of dimensions
    for found in _PLACED.finditer(behind):
        attributes = dict(_ATTRIBUTE.findall(found[1]))
        page = _number(attributes.get(b"IFD", b"0"))
        plane, step = 0, 1
        for axis in axes:
            plane += step * _number(attributes.get(b"First" + axis.upper().encode(), b"0"))
            step *= sizes[axis]
        count = _number(attributes.get(b"PlaneCount", b"1" if b"IFD" in attributes else b"0"))
        for offset in range(min(count, _MOST_PLANES - len(places))):
            places[page + offset] = plane + offset
    return lambda page: by_order(places.get(page, page))


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) <= 9 else 0
