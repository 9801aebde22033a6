"""The elements of a DICOM file (PS3.5, chapter 7) that pixels need; all others are passed over without being read.

So names, dates and numbers of patients never become a value that somebody could log or store; only ``_dicom_people``
wants those, for as long as it takes to tell them.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ImageError
from core.images.formats.format import FileReader

DAMAGED = "The DICOM file is damaged; copy or export it again."
TRUNCATED = "The DICOM file ends too early; copy or export it again."
OTHER = "The file is not a DICOM file; rename it, or export it again."
HEAD_BYTES = (16 * 1024, 256 * 1024, 4 * 1024 * 1024, 64 * 1024 * 1024)  # read for the header, until it is all there
PREAMBLE, MAGIC = 128, b"DICM"
_OLD = (b"\2\0", b"\x08\0")  # what files without a preamble begin with: groups of elements
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

SAMPLES, PHOTOMETRIC, PLANAR, FRAMES, ROWS, COLUMNS = 0x280002, 0x280004, 0x280006, 0x280008, 0x280010, 0x280011
ALLOCATED, STORED, HIGH_BIT, SIGNED = 0x280100, 0x280101, 0x280102, 0x280103
CENTER, WIDTH, INTERCEPT, SLOPE, FUNCTION = 0x281050, 0x281051, 0x281052, 0x281053, 0x281056
PALETTES, PALETTE_VALUES = (0x281101, 0x281102, 0x281103), (0x281201, 0x281202, 0x281203)
SERIES, INSTANCE, POSITION, ORIENTATION = 0x20000E, 0x200013, 0x200032, 0x200037
LUT, LUT_VALUES, LUT_TYPE = 0x283002, 0x283006, 0x283004
MODALITY, RESCALE_TYPE = 0x80060, 0x281054
PIXELS, FLOATS, DOUBLES = 0x7FE00010, 0x7FE00008, 0x7FE00009
_TRANSFER_SYNTAX, _EXPLICIT = 0x20010, "1.2.840.10008.1.2.1"
_WANTED = frozenset(
    (SAMPLES, PHOTOMETRIC, PLANAR, FRAMES, ROWS, COLUMNS, ALLOCATED, STORED, HIGH_BIT, SIGNED, CENTER, WIDTH, INTERCEPT,
     SLOPE, FUNCTION, *PALETTES, *PALETTE_VALUES, SERIES, INSTANCE, POSITION, ORIENTATION, LUT, LUT_VALUES, LUT_TYPE,
     MODALITY, RESCALE_TYPE)
)  # fmt: skip
_OF_ALL_FRAMES, _OF_EACH_FRAME = 0x52009229, 0x52009230
# Sequences of one item whose elements count as if they stood outside: modality LUT, and what frames have for it.
_OPENED = (0x283000, 0x289132, 0x289145, _OF_ALL_FRAMES)
_VOI = 0x283010  # a sequence whose first item has the same elements as the modality LUT, and is kept by other names:
VOI_LUT, VOI_LUT_VALUES = _VOI << 32 | LUT, _VOI << 32 | LUT_VALUES
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_MAX_VALUE = 256 * 1024  # bytes of a value that is wanted; a palette has 128 kB
_MAX_ELEMENTS, _MAX_DEPTH = 1_000_000, 16

Attributes = dict[int, bytes]
"""The values of elements by their tags, as they are stored."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """How elements are written."""

    implicit: bool = False
    order: str = "<"


@dataclass(slots=True)
class Dataset:
    """What a file says of its pixels, and where they are.

    Attributes:
        transfer: the UID of the transfer syntax.
        syntax: of the elements.
        attributes: of all frames.
        frames: of single ones, where they differ.
        tag: of the pixels; 0 where there are none.
        start: of their first byte, in the file, or in what inflating it gives.
        length: in bytes; ``UNDEFINED`` where they are compressed.
        in_words: whether they are kept in words of 16 bits, the byte order of which is the file's.
        compressed_at: where the deflated part of the file begins; 0 for none.
    """

    transfer: str = ""
    syntax: Syntax = field(default_factory=Syntax)
    attributes: Attributes = field(default_factory=dict)
    frames: list[Attributes] = field(default_factory=list)
    tag: int = 0
    start: int = 0
    length: int = 0
    in_words: bool = False
    compressed_at: int = 0

    def value(self, tag: int, frame: int = 0) -> bytes:
        """Of one frame, or of all; empty where there is none."""
        own = self.frames[frame] if frame < len(self.frames) else {}
        return own.get(tag) or self.attributes.get(tag, b"")

    def number(self, tag: int, default: int = 0) -> int:
        """A 16-bit number."""
        value = self.value(tag)
        return int(struct.unpack_from(f"{self.syntax.order}H", value)[0]) if len(value) >= 2 else default

    def text(self, tag: int, frame: int = 0) -> str:
        """A word of the standard's own."""
        return self.value(tag, frame).decode("ascii", "replace").strip(" \0")

    def decimals(self, tag: int, frame: int = 0) -> tuple[float, ...]:
        """Numbers written as text; none where one of them is none."""
        try:
            found = tuple(float(part) for part in self.text(tag, frame).split("\\"))
        except ValueError:
            return ()
        return found if all(math.isfinite(number) and abs(number) < 1e12 for number in found) else ()


class _TooShort(Exception):
    """More bytes of a file are needed."""


def matches(head: bytes) -> bool:
    """Whether a file begins as DICOM files do."""
    return head[PREAMBLE : PREAMBLE + len(MAGIC)] == MAGIC


def read_dataset(file: FileReader, wanted: frozenset[int] = _WANTED) -> Dataset:
    """What stands before the pixels, from as few bytes of the file as possible: of single elements those ``wanted``.

    Raises:
        ImageError: not a DICOM file, damaged, or cut short.
    """
    for count in HEAD_BYTES:
        head = file.read(0, count)
        if not (matches(head) or head.startswith(_OLD)):
            raise ImageError(OTHER)
        try:
            return _Reading(head, wanted, whole=len(head) < count).dataset()
        except _TooShort as error:
            if len(head) < count:
                raise ImageError(TRUNCATED) from error
    raise ImageError(DAMAGED)


def inflate(data: bytes, most: int) -> bytes:
    """Up to ``most`` bytes of what was deflated.

    Raises:
        ImageError: damaged.
    """
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most)
    except zlib.error as error:
        raise ImageError(DAMAGED) from error


def table(dataset: Dataset, description: int, values: int, frame: int, *, signed: bool) -> tuple[int, NDArray[Any]]:
    """The first value that a table is for, which may be ``signed``, and its values, uint8 or uint16.

    Raises:
        ImageError: damaged.
    """
    order, described, data = dataset.syntax.order, dataset.value(description, frame), dataset.value(values, frame)
    if len(described) < 6:
        raise ImageError(DAMAGED)
    count, first, bits = struct.unpack_from(f"{order}H{'h' if signed else 'H'}H", described)
    count = count or 65536
    if not 1 <= bits <= 16 or len(data) < (count if bits <= 8 else 2 * count):
        raise ImageError(DAMAGED)
    wide = len(data) >= 2 * count
    found = np.frombuffer(data, f"{order}u2" if wide else "u1", count)
    return first, found.astype(np.uint8 if bits <= 8 else np.uint16)


class _Reading:
    """One pass over the first bytes of a file, or over the ``whole`` of it: then it may end without pixels."""

    def __init__(self, data: bytes, wanted: frozenset[int], *, whole: bool) -> None:
        self._data = data
        self._wanted = wanted
        self._whole = whole
        self._found = Dataset()
        self._elements = 0

    def dataset(self) -> Dataset:
        """See ``read_dataset``."""
        found = self._found
        meta: Attributes = {}
        start = self._meta(meta)
        found.transfer = meta.get(_TRANSFER_SYNTAX, b"").decode("ascii", "replace").strip(" \0")
        if not meta and not matches(self._data):
            found.transfer = _EXPLICIT  # or implicit, which shows
        if found.transfer == "1.2.840.10008.1.2.1.99":
            found.compressed_at = start
            self._data, start = inflate(self._data[start:], HEAD_BYTES[2]), 0
        said, order = found.transfer == "1.2.840.10008.1.2", "<>"[found.transfer == "1.2.840.10008.1.2.2"]
        kind = self._data[start + 4 : start + 6]
        implicit = said or (len(kind) == 2 and not kind.isalpha())  # some programs say the one and write the other
        found.syntax = Syntax(implicit, order)
        self._read(start, None, found.syntax, found.attributes, 0)
        return found

    def _meta(self, found: Attributes) -> int:
        """Where the file's own description ends, which says how all else is written."""
        position = PREAMBLE + len(MAGIC) if matches(self._data) else 0
        while True:
            if position + 2 > len(self._data):
                raise _TooShort
            if self._data[position : position + 2] != b"\x02\0":
                return position
            tag, _, start, length = self._element(position, Syntax())
            if tag == _TRANSFER_SYNTAX:
                found[tag] = self._value(start, length)
            position = start + length

    def _read(self, position: int, end: int | None, syntax: Syntax, found: Attributes | None, depth: int) -> int:
        """Read elements up to ``end``, the end of an item, or the pixels; with ``found`` keep those that are wanted.

        Returns where they end.
        """
        while end is None or position < end:
            if depth == 0 and self._whole and position == len(self._data):
                return position
            tag, kind, start, length = self._element(position, syntax)
            if tag == ITEM_END:
                return start
            if depth == 0 and tag >= FLOATS:
                if tag in (PIXELS, FLOATS, DOUBLES):
                    self._found.tag, self._found.start, self._found.length = tag, start, length
                    self._found.in_words = kind == b"OW"
                return start
            if length == UNDEFINED or (found is not None and tag in (*_OPENED, _OF_EACH_FRAME, _VOI)):
                nested = Syntax(True) if kind == b"UN" else syntax
                position = self._items(tag, start, length, nested, found, depth + 1)
                continue
            if found is not None and tag in self._wanted:
                found[tag] = self._value(start, length)
            position = start + length
        if end is not None and position > end:
            raise ImageError(DAMAGED)
        return position

    def _items(self, tag: int, position: int, length: int, syntax: Syntax, found: Attributes | None, depth: int) -> int:
        """The items of a sequence, or the parts of compressed data."""
        if depth > _MAX_DEPTH:
            raise ImageError(DAMAGED)
        end = None if length == UNDEFINED else position + length
        number = 0
        while end is None or position < end:
            one, _, start, size = self._element(position, syntax)
            if one == SEQUENCE_END:
                return start
            if one != ITEM:
                raise ImageError(DAMAGED)
            kept: Attributes | None = None
            if found is not None and tag == _OF_EACH_FRAME:
                kept = {}
                self._found.frames.append(kept)
            elif found is not None and tag in _OPENED and not number:
                kept = found
            elif found is not None and tag == _VOI and not number:
                kept = {}
            if kept is None and size != UNDEFINED:
                position = start + size
            else:
                position = self._read(start, None if size == UNDEFINED else start + size, syntax, kept, depth)
            if found is not None and tag == _VOI and kept is not None:
                found.update({_VOI << 32 | one: value for one, value in kept.items()})
            number += 1
        return position

    def _element(self, position: int, syntax: Syntax) -> tuple[int, bytes, int, int]:
        """Tag, kind, start and length of the value of an element."""
        self._elements += 1
        if self._elements > _MAX_ELEMENTS:
            raise ImageError(DAMAGED)
        if position + 8 > len(self._data):
            raise _TooShort
        group, element, kind, length = struct.unpack_from(f"{syntax.order}HH2sH", self._data, position)
        tag = group << 16 | element
        if syntax.implicit or group == 0xFFFE:
            (length,) = struct.unpack_from(f"{syntax.order}L", self._data, position + 4)
            return tag, b"", position + 8, length
        if kind in _LONG:
            if position + 12 > len(self._data):
                raise _TooShort
            (length,) = struct.unpack_from(f"{syntax.order}L", self._data, position + 8)
            return tag, kind, position + 12, length
        if not kind.isalpha():
            raise ImageError(DAMAGED)
        return tag, kind, position + 8, length

    def _value(self, start: int, length: int) -> bytes:
        if length > _MAX_VALUE:
            raise ImageError(DAMAGED)
        if start + length > len(self._data):
            raise _TooShort
        return self._data[start : start + length]
