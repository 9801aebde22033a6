"""What the planes of a TIFF are called, by OME-XML, by ImageJ, or by their page; and their order over several files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from core.images.formats.format import Place

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
_MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class PageNames:
    """How the pages of a file are called, and where those of a set of several files stand in it.

    Attributes:
        label: of a page.
        planes: of each page that is a plane of a set of files, its image and its number there.
        series: names that set; empty where there is but this file.
        total: planes in all of its files.
    """

    label: Label
    planes: dict[int, tuple[int, int]] = field(default_factory=dict)
    series: str = ""
    total: int = 0

    def place(self, page: int, channel: int, channels: int) -> Place:
        """Of one of the ``channels`` images of a page."""
        if not self.series or page not in self.planes:
            return ()
        image, plane = self.planes[page]
        return self.series, image, plane * channels + channel, self.total * channels


def page_names(description: bytes) -> PageNames:
    """Of a file of which the first page has this description."""
    if b"<" in description[:256] and (found := list(islice(_PIXELS.finditer(description), _MOST_IMAGES))):
        return _ome(description, found)
    if description.startswith(b"ImageJ="):
        sizes = {name: int(number) for name, number in _IMAGEJ.findall(description)}
        axes = [("c", sizes.get(b"channels", 1)), ("z", sizes.get(b"slices", 1)), ("t", sizes.get(b"frames", 1))]
        return PageNames(_planes(axes))
    return PageNames(_page)


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


def _ome(description: bytes, found: Sequence[re.Match[bytes]]) -> PageNames:
    """By what is said of each image, and of several files of the pages of this one."""
    own = _OWN_NAME.search(description, 0, found[0].start())
    files = _Files(own[1].strip() if own else b"")
    ends = [*(one.start() for one in found[1:]), len(description)]
    images = [_ome_image(dict(_ATTRIBUTE.findall(one[1])), description[one.end() : end], files)
              for one, end in zip(found, ends, strict=True)]  # fmt: skip
    planes = {page: (number, plane) for number, (places, _) in enumerate(images) for page, plane in places.items()}
    several = len({number for number, _ in planes.values()}) > 1

    def label(page: int) -> str:
        if page not in planes:
            return _page(page) if len(images) > 1 else images[0][1](page)
        number, plane = planes[page]
        name = images[number][1](plane)
        return f"image {number + 1} · {name}" if several else name

    return PageNames(label, planes, files.series, files.planes)


@dataclass(slots=True)
class _Files:
    """The files that an OME-XML speaks of, of which this is one, and the planes in all of them."""

    own: bytes
    names: set[bytes] = field(default_factory=set)
    planes: int = 0

    @property
    def series(self) -> str:
        """Names the set of them, where there are several and each says which it is; no name can be read back."""
        if not self.own or len(self.names) < 2 or self.own not in self.names:
            return ""
        return hashlib.blake2s(b" ".join(sorted(self.names))).hexdigest()


def _ome_image(pixels: dict[bytes, bytes], behind: bytes, files: _Files) -> tuple[dict[int, int], Label]:
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
        attributes = dict(_ATTRIBUTE.findall(found[1]))
        name = found[2].strip() if found[2] else b""
        if name and len(files.names) < _MOST_FILES:
            files.names.add(name)
        count = _number(attributes.get(b"PlaneCount", b"1" if b"IFD" in attributes else b"0"))
        files.planes += count
        if files.own and name and name != files.own:
            continue  # in another file
        page = _number(attributes.get(b"IFD", b"0"))
        plane, step = 0, 1
        for axis in axes:
            plane += step * _number(attributes.get(b"First" + axis.upper().encode(), b"0"))
            step *= sizes[axis]
        for offset in range(min(count, _MOST_PLANES - len(places))):
            places[page + offset] = plane + offset
    return places, _planes([(axis, sizes[axis]) for axis in axes])


def _number(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) <= 9 else 0
