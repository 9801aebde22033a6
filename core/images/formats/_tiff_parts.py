"""What a TIFF is made of: directories of tags, by TIFF 6.0, and by BigTIFF with wider numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from core.base.errors import ImageError
from core.images.formats.format import FileReader

DAMAGED = "The TIFF is damaged; copy or export it again."
TRUNCATED = "The TIFF ends too early; copy or export it again."
HEAD_BYTES = 16
MAX_SEGMENTS = 1_000_000  # strips or tiles of a page
MAX_TEXT_BYTES = 32 * 1024 * 1024  # of a description, such as OME-XML of thousands of planes
_AT_ONCE = 1024  # bytes read for a directory; most fit, and the values beside it too
_MAX_TAGS = 4096
_MAX_OTHER_BYTES = 1024 * 1024  # of any other tag: palettes, tables

SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
FILL_ORDER, DESCRIPTION, OFFSETS, ORIENTATION, SAMPLES, ROWS = 266, 270, 273, 274, 277, 278
BYTE_COUNTS, PLANAR, PREDICTOR, PALETTE, TILE_WIDTH, TILE_HEIGHT = 279, 284, 317, 320, 322, 323
TILE_OFFSETS, TILE_BYTE_COUNTS, SUBFILES, EXTRA, FORMAT, JPEG_TABLES = 324, 325, 330, 338, 339, 347
_WANTED = {
    SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, DESCRIPTION, OFFSETS, ORIENTATION, SAMPLES,
    ROWS, BYTE_COUNTS, PLANAR, PREDICTOR, PALETTE, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTE_COUNTS, SUBFILES,
    EXTRA, FORMAT, JPEG_TABLES,
}  # fmt: skip
_SEGMENT_TAGS = {OFFSETS, BYTE_COUNTS, TILE_OFFSETS, TILE_BYTE_COUNTS}
# TIFF 6.0, section 2, and BigTIFF: struct's letter for each kind of value. Text and bytes without a meaning are bytes.
_LETTERS = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 13: "L", 16: "Q", 17: "q", 18: "Q"}
_BYTES = {2, 7}


class Layout(NamedTuple):
    """How numbers are written in a file: struct's byte order, and whether it is a BigTIFF."""

    order: str
    big: bool
    first: int  # where the first directory is


@dataclass(frozen=True, slots=True)
class Directory:
    """The tags of a page that are needed; those for strips and tiles only where they are, read when asked for."""

    layout: Layout
    following: int  # where the next directory is; 0 behind the last
    values: dict[int, tuple[int, ...]] = field(default_factory=dict)
    texts: dict[int, bytes] = field(default_factory=dict)
    places: dict[int, tuple[str, int, int]] = field(default_factory=dict)  # letter, count, position in the file

    def one(self, tag: int, default: int = 0) -> int:
        """The first value of a tag."""
        values = self.values.get(tag)
        return values[0] if values else default

    def numbers(self, tag: int, file: FileReader) -> tuple[int, ...]:
        """All values of a tag of strips or tiles."""
        if tag not in self.places:
            return self.values.get(tag, ())
        letter, count, position = self.places[tag]
        return _unpack(self.layout.order, letter, count, file.read(position, count * struct.calcsize("=" + letter)))


def matches(head: bytes) -> bool:
    """Whether a file begins as a TIFF or a BigTIFF does."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_layout(head: bytes) -> Layout:
    """What the first ``HEAD_BYTES`` say.

    Raises:
        ImageError: not a TIFF, or cut short.
    """
    if not matches(head):
        raise ImageError("The file is not a TIFF image; export it as TIFF.")
    order = "<" if head.startswith(b"I") else ">"
    big = b"+" in head[2:4]
    if len(head) < (16 if big else 8):
        raise ImageError(TRUNCATED)
    return Layout(order, big, struct.unpack_from(order + ("Q" if big else "L"), head, 8 if big else 4)[0])


def read_directories(file: FileReader) -> Iterator[tuple[int, Directory]]:
    """Each page's directory, with where it is, in the order of the file.

    Raises:
        ImageError: damaged, cut short, or going round in a circle.
    """
    layout = read_layout(file.read(0, HEAD_BYTES))
    position, seen = layout.first, set[int]()
    while position:
        if position in seen:
            raise ImageError(DAMAGED)
        seen.add(position)
        directory = read_directory(file, layout, position)
        yield position, directory
        position = directory.following
    if not seen:
        raise ImageError(DAMAGED)


def read_directory(file: FileReader, layout: Layout, position: int) -> Directory:
    """The directory at ``position``."""
    order, big, _ = layout
    entry, count_bytes, link_bytes = (20, 8, 8) if big else (12, 2, 4)
    data = file.read(position, _AT_ONCE)
    if len(data) < count_bytes:
        raise ImageError(TRUNCATED)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data)
    if not 1 <= count <= _MAX_TAGS:
        raise ImageError(DAMAGED)
    end = count_bytes + count * entry
    if end + link_bytes > len(data):
        data = file.read(position, end + link_bytes)
        if len(data) < end + link_bytes:
            raise ImageError(TRUNCATED)
    (following,) = struct.unpack_from(order + ("Q" if big else "L"), data, end)
    directory = Directory(layout, following)
    for at in range(count_bytes, end, entry):
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if tag in _WANTED:
            _read_tag(file, directory, tag, kind, data, at + 4, position)
    return directory


def _read_tag(file: FileReader, directory: Directory, tag: int, kind: int, data: bytes, at: int, position: int) -> None:
    """Take one tag, whose count of values is at ``at`` of ``data``, which begins at ``position`` of the file."""
    order, big, _ = directory.layout
    (count,) = struct.unpack_from(order + ("Q" if big else "L"), data, at)
    at += 8 if big else 4
    letter = "B" if kind in _BYTES else _LETTERS.get(kind)
    if letter is None or not count:
        return  # fractions and the like, which none of the wanted tags is
    size = count * struct.calcsize("=" + letter)
    if size > (8 if big else 4):
        (start,) = struct.unpack_from(order + ("Q" if big else "L"), data, at)
        if tag in _SEGMENT_TAGS:
            if count > MAX_SEGMENTS:
                raise ImageError(f"The TIFF has more than {MAX_SEGMENTS:,} parts in a page; export it again.")
            directory.places[tag] = letter, count, start
            return
        if size > (MAX_TEXT_BYTES if tag == DESCRIPTION else _MAX_OTHER_BYTES):
            return
        inside = start - position
        found = data[inside : inside + size] if 0 <= inside <= len(data) - size else file.read(start, size)
    else:
        found = data[at : at + size]
    if len(found) < size:
        raise ImageError(TRUNCATED)
    if kind in _BYTES:
        directory.texts[tag] = found
    else:
        directory.values[tag] = _unpack(order, letter, count, found)


def _unpack(order: str, letter: str, count: int, data: bytes) -> tuple[int, ...]:
    if len(data) < count * struct.calcsize("=" + letter):
        raise ImageError(TRUNCATED)
    return struct.unpack_from(f"{order}{count}{letter}", data)
