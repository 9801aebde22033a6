"""TIFF, BigTIFF, OME-TIFF and ImageJ stacks: every page, and every channel of it, a frame with its name.

Directories are read here, a kilobyte at a time and within limits, because a file of 2,000 pages has to open in a part
of a second, and any page to be found without reading the others. What is packed is unpacked by imagecodecs and Python's
own libraries, each strip or tile into exactly the bytes that its page calls for. tifffile is the judge in the tests.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from core.base.errors import ImageError
from core.images.formats import _tiff_parts as parts
from core.images.formats._remembered import Remembered
from core.images.formats._tiff_names import page_labels
from core.images.formats._tiff_page import Page, decode_page, read_page
from core.images.formats.format import FileReader, ImageHeader, Pixels, Size, check_size

_REDUCED, _MASK = 1, 4  # bits of the tag that says what a page is for: smaller copies and masks are no frames
_PLACES: Remembered[array[int]] = Remembered()  # of each frame: where its directory is, and its channel


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
        places = array("Q")
        pages = _pages(file)
        first_place, first = next(pages)
        second = next(pages, None)
        label_of = page_labels(first.directory.texts.get(parts.DESCRIPTION, b""))
        number = 0
        upcoming: tuple[int, Page] | None = (first_place, first)
        while upcoming is not None:
            place, page = upcoming
            label = label_of(number) if second is not None or number else ""
            for channel in range(max(page.channels, 1)):
                places.extend((place, channel))
                names = [label, f"channel {channel}"] if page.channels else [label]
                yield page.header(" · ".join(name for name in names if name))
            number += 1
            upcoming = second if number == 1 else next(pages, None)
        _PLACES.get(file.key, lambda: places)

    def decode(self, file: FileReader, frame: int = 0, *, max_pixels: int, at_least: Size | None = None) -> Pixels:
        """See ``ImageFormat.decode``; always the full size. Signed and floating samples stay what they are."""
        places = _PLACES.get(file.key, lambda: _find_places(file))
        if not 0 <= frame < len(places) // 2:
            raise ImageError(parts.DAMAGED)
        layout = parts.read_layout(file.read(0, parts.HEAD_BYTES))
        page = read_page(parts.read_directory(file, layout, places[2 * frame]))
        check_size(page.header(""), max_pixels)
        return decode_page(page, file, places[2 * frame + 1])


FORMAT = Tiff()


def _pages(file: FileReader) -> Iterator[tuple[int, Page]]:
    """Those that are images of their own, each with where its directory is; the first one in any case.

    Raises:
        ImageError: damaged, or one of them is of a kind that cannot be read.
    """
    for number, (place, directory) in enumerate(parts.read_directories(file)):
        if number and directory.one(parts.SUBFILE) & (_REDUCED | _MASK):
            continue
        yield place, read_page(directory)


def _find_places(file: FileReader) -> array[int]:
    places = array("Q")
    for place, page in _pages(file):
        for channel in range(max(page.channels, 1)):
            places.extend((place, channel))
    return places
