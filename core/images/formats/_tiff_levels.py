"""The smaller copies that lie beside a TIFF's page (pyramids): the nearest is enough where little is needed of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from core.base.errors import ImageError
from core.images.formats import _tiff_parts as parts
from core.images.formats._tiff_page import Page, read_page
from core.images.formats._tiff_parts import Directory
from core.images.formats.format import FileReader, Size

MOST_LEVELS = 16  # each half of the one before leads from a million pixels a side to a few
_ALIKE = ("color", "channels", "bits", "kind", "orientation")
Level = tuple[int, Size]
"""Where a copy's directory is, and its width and height, upright."""


def find_levels(file: FileReader, page: Page, following: Sequence[tuple[int, Directory]]) -> tuple[Level, ...]:
    """The copies of a page that can be read, the largest first; what is none, or damaged, is left out.

    Args:
        following: where the directories that follow it as smaller copies are, and they; others it names itself.
    """
    found: dict[Size, int] = {}
    for place, directory in (*islice(following, MOST_LEVELS), *_named(file, page.directory)):
        with suppress(ImageError):
            copy = read_page(directory)
            if _is_copy(page, copy):
                found.setdefault((copy.header("").width, copy.header("").height), place)
    return tuple((place, size) for size, place in sorted(found.items(), reverse=True))


def nearest(size: Size, levels: Iterable[Size], at_least: Size) -> Size:
    """The smallest of ``levels`` that is as large as ``at_least`` on both sides, or else ``size``."""
    enough = [level for level in levels if level[0] >= at_least[0] and level[1] >= at_least[1]]
    return min(enough, default=size)


def _named(file: FileReader, directory: Directory) -> Iterator[tuple[int, Directory]]:
    for place in directory.values.get(parts.SUBFILES, ())[:MOST_LEVELS]:
        with suppress(ImageError):
            yield place, parts.read_directory(file, directory.layout, place)


def _is_copy(page: Page, copy: Page) -> bool:
    """Whether a page holds the same in a size that is a whole number of times smaller, to within a pixel."""
    times = round(page.width / copy.width)
    if times < 2 or abs(page.width / times - copy.width) >= 1 or abs(page.height / times - copy.height) >= 1:
        return False
    return all(getattr(page, name) == getattr(copy, name) for name in _ALIKE)
