"""TIFF, BigTIFF, OME-TIFF and ImageJ stacks: every page, and every channel of it, a frame with its name.

Directories are read here, a kilobyte at a time and within limits, because a file of 2,000 pages has to open in a part
of a second, and any page to be found without reading the others. What is packed is unpacked by imagecodecs and Python's
own libraries, each strip or tile into exactly the bytes that its page calls for. tifffile is the judge in the tests.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.base.errors import ImageError
from core.images.formats import _tiff_parts as parts
from core.images.formats._remembered import Remembered
from core.images.formats._tiff_levels import MOST_LEVELS, Level, find_levels, nearest
from core.images.formats._tiff_names import page_names
from core.images.formats._tiff_page import Page, TiffHeader, decode_page, read_page
from core.images.formats._tiff_parts import Directory
from core.images.formats.format import FileReader, ImageHeader, Pixels, Size, check_size

_REDUCED, _MASK = 1, 4  # bits of the tag that says what a page is for: smaller copies and masks are no frames


@dataclass(frozen=True, slots=True)
class _Places:
    """Of each frame where its directory is, and its channel; and the smaller copies of the pages that have some."""

    frames: array[int] = field(default_factory=lambda: array("Q"))
    levels: dict[int, tuple[Level, ...]] = field(default_factory=dict)

    def add(self, place: int, page: Page, levels: tuple[Level, ...]) -> None:
        for channel in range(max(page.channels, 1)):
            self.frames.extend((place, channel))
        if levels:
            self.levels[place] = levels


_PLACES: Remembered[_Places] = Remembered()


class Tiff:
    """TIFF as one of the formats."""

    name = "TIFF"
    extensions = (".tif", ".tiff", ".btf", ".tf8", ".tf2")
    media_type = "image/tiff"
    head_bytes = parts.HEAD_BYTES
    reads_parts = True
    names_people = False

    def matches(self, head: bytes) -> bool:
        """See ``ImageFormat.matches``."""
        return parts.matches(head)

    def read_headers(self, file: FileReader) -> Iterator[ImageHeader]:
        """See ``ImageFormat.read_headers``."""
        places = _Places()
        pages = _pages(file)
        first = next(pages)
        second = next(pages, None)
        names = page_names(first[1].directory.texts.get(parts.DESCRIPTION, b""))
        number = 0
        upcoming: _Found | None = first
        while upcoming is not None:
            place, page, levels = upcoming
            places.add(place, page, levels)
            label = names.label(number) if second is not None or number else ""
            channels = max(page.channels, 1)
            for channel in range(channels):
                words = [label, f"channel {channel}"] if page.channels else [label]
                yield page.header(
                    " · ".join(word for word in words if word),
                    tuple(size for _, size in levels),
                    names.place(number, channel, channels),
                )
            number += 1
            upcoming = second if number == 1 else next(pages, None)
        _PLACES.get(file.key, lambda: places)

    def decode(self, file: FileReader, frame: int = 0, *, max_pixels: int, at_least: Size | None = None) -> Pixels:
        """See ``ImageFormat.decode``; of smaller copies the nearest. Signed and floating samples stay what they are."""
        places = _PLACES.get(file.key, lambda: _find_places(file))
        if not 0 <= frame < len(places.frames) // 2:
            raise ImageError(parts.DAMAGED)
        place, channel = places.frames[2 * frame], places.frames[2 * frame + 1]
        layout = parts.read_layout(file.read(0, parts.HEAD_BYTES))
        page = read_page(parts.read_directory(file, layout, place))
        if at_least and (levels := {size: place for place, size in places.levels.get(place, ())}):
            header = page.header("")
            size = nearest((header.width, header.height), levels, at_least)
            page = read_page(parts.read_directory(file, layout, levels[size])) if size in levels else page
        check_size(page.header(""), max_pixels)
        return decode_page(page, file, channel)

    def decoded_size(self, header: ImageHeader, at_least: Size) -> Size:
        """See ``FormatInSizes.decoded_size``."""
        assert isinstance(header, TiffHeader)  # noqa: S101 - read_headers gives no other
        return nearest((header.width, header.height), header.levels, at_least)


FORMAT = Tiff()

_Found = tuple[int, Page, tuple[Level, ...]]
"""Where a page's directory is, the page, and its smaller copies."""


def _pages(file: FileReader) -> Iterator[_Found]:
    """Those that are images of their own; the first one in any case.

    Raises:
        ImageError: damaged, or one of them is of a kind that cannot be read.
    """
    found: tuple[int, Page] | None = None
    copies: list[tuple[int, Directory]] = []
    for place, directory in parts.read_directories(file):
        if found is not None and directory.one(parts.SUBFILE) & (_REDUCED | _MASK):
            if not directory.one(parts.SUBFILE) & _MASK and len(copies) < MOST_LEVELS:
                copies.append((place, directory))
            continue
        if found is not None:
            yield *found, find_levels(file, found[1], copies)
        found, copies = (place, read_page(directory)), []
    if found is not None:
        yield *found, find_levels(file, found[1], copies)


def _find_places(file: FileReader) -> _Places:
    places = _Places()
    for found in _pages(file):
        places.add(*found)
    return places
