"""The list of files at the end of a ZIP (PKWARE APPNOTE.TXT, 4.3.12 to 4.3.16), read within limits.

Python's ``zipfile`` reads it too, but refuses the whole archive for one name in bad UTF-8 or one odd extra field, and
keeps an object of each file, which makes garbage collections long, during which nobody else's request goes on. Nothing
here is believed: what the list says of a file is checked where the file is read.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from core.base.errors import ArchiveError, LimitExceeded
from core.stacks.sources.names import decoded_name

_END_SIGNATURE = b"PK\x05\x06"
_END = struct.Struct("<4s4H2LH")
_LONGEST_END_BYTES = _END.size + 0xFFFF  # with the longest comment
_END64_SIGNATURE, _LOCATOR_SIGNATURE = b"PK\x06\x06", b"PK\x06\x07"
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_SIGNATURE = b"PK\x01\x02"
_ENTRY = struct.Struct("<4s4x2H4x3L3H4x2L")
_EXTRA = struct.Struct("<2H")
_ZIP64_EXTRA = 0x0001  # 4.5.3
_IN_EXTRA = 0xFFFFFFFF  # what stands where a number is in its wider form
_BYTES_PER_ENTRY = 512  # 46 bytes, the name and extra fields: real archives stay far below

_DAMAGED = "The ZIP's list of files is damaged; make the archive again."
IN_PARTS = "This is one part of a ZIP in several parts. Make one ZIP of them (such as with “zip -s 0”) and upload that."


class Member(NamedTuple):
    """What the list says of one file. ``offset`` is where its local header should be, ``mode`` a Unix program's."""

    path: str
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    mode: int
    offset: int


@dataclass(frozen=True, slots=True)
class Directory:
    """The list as it stands in the archive, from ``start`` on; ``shift`` is how much all offsets are off.

    Files are read from it again each time that it is iterated over: none is kept.
    """

    data: bytes
    start: int
    shift: int

    def __iter__(self) -> Iterator[Member]:
        """Every file, in the order of the list.

        Raises:
            ArchiveError: the list is damaged.
        """
        position = 0
        while position < len(self.data):
            if position + _ENTRY.size > len(self.data):
                raise ArchiveError(_DAMAGED)
            signature, flags, method, crc, packed, size, name_bytes, extra_bytes, comment_bytes, mode, offset = (
                _ENTRY.unpack_from(self.data, position)
            )
            if signature != _SIGNATURE:
                raise ArchiveError(_DAMAGED)
            position += _ENTRY.size
            path = decoded_name(self.data[position : position + name_bytes])
            position += name_bytes
            extra = self.data[position : position + extra_bytes]
            position += extra_bytes + comment_bytes
            if _IN_EXTRA in (size, packed, offset):
                size, packed, offset = _widened(extra, size, packed, offset)
            yield Member(path, flags, method, crc, packed, size, mode >> 16, offset + self.shift)


@dataclass(frozen=True, slots=True)
class _End:
    """What the records at the end say: where the list ends in this file, its bytes, and where it is said to begin."""

    at: int
    directory_bytes: int
    directory_offset: int
    in_parts: bool


def has_end(file: io.FileIO) -> bool:
    """Whether the file ends as a ZIP does."""
    return _find_end(file) is not None


def read_directory(file: io.FileIO, max_entries: int) -> Directory | None:
    """The list of files; None where the file does not end as a ZIP does.

    Raises:
        LimitExceeded: it has more than ``max_entries`` files, or is longer than those may be.
        ArchiveError: it is not where it should be, or in another part of the archive.
    """
    end = _find_end(file)
    if end is None:
        return None
    if end.in_parts:
        raise ArchiveError(IN_PARTS)
    if end.directory_bytes > max(_LONGEST_END_BYTES, max_entries * _BYTES_PER_ENTRY):
        raise LimitExceeded("The ZIP's list of files is too long. Split it into smaller archives.")
    start = end.at - end.directory_bytes
    if start < 0:
        raise ArchiveError(_DAMAGED)
    data = _read_at(file, end.directory_bytes, start)
    if (entries := data.count(_SIGNATURE)) > max_entries:
        raise LimitExceeded(
            f"The ZIP lists {entries:,} files; at most {max_entries:,} are allowed. Split it into smaller archives."
        )
    # Where an archive stands behind other bytes, its offsets may count from its own beginning.
    return Directory(data, start, start - end.directory_offset)


def _find_end(file: io.FileIO) -> _End | None:
    file_bytes = os.fstat(file.fileno()).st_size
    tail_start = max(file_bytes - _LONGEST_END_BYTES, 0)
    tail = _read_at(file, _LONGEST_END_BYTES, tail_start)
    found = len(tail) - _END.size
    if not (tail[-_END.size :].startswith(_END_SIGNATURE) and tail.endswith(b"\0\0")):  # the usual end, without comment
        found = tail.rfind(_END_SIGNATURE)
    if found < 0 or found + _END.size > len(tail):
        return None
    _, part, directory_part, _, _, directory_bytes, directory_offset, _ = _END.unpack_from(tail, found)
    at = tail_start + found
    wide = _find_end64(file, at)
    if wide is None:
        return _End(at, directory_bytes, directory_offset, in_parts=bool(part or directory_part))
    return wide


def _find_end64(file: io.FileIO, end: int) -> _End | None:
    """The wider records in front of the usual one, which begins at ``end``."""
    at = end - _LOCATOR.size - _END64.size
    if at < 0:
        return None
    records = _read_at(file, _END64.size + _LOCATOR.size, at)
    if len(records) < _END64.size + _LOCATOR.size:
        return None
    locator, _, _, parts = _LOCATOR.unpack_from(records, _END64.size)
    if locator != _LOCATOR_SIGNATURE:
        return None
    signature, _, _, _, part, directory_part, _, _, directory_bytes, directory_offset = _END64.unpack_from(records)
    in_parts = parts > 1
    if signature != _END64_SIGNATURE:
        return _End(at, 0, 0, in_parts=True) if in_parts else None
    return _End(at, directory_bytes, directory_offset, in_parts=in_parts or bool(part or directory_part))


def _read_at(file: io.FileIO, count: int, position: int) -> bytes:
    file.seek(position)
    return file.read(count)


def _widened(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """The same numbers, those that are not given there from the ZIP64 extra field, as far as it has them."""
    position = 0
    while position + _EXTRA.size <= len(extra):
        kind, length = _EXTRA.unpack_from(extra, position)
        position += _EXTRA.size
        if kind == _ZIP64_EXTRA:
            wide = iter(struct.unpack_from(f"<{min(length, len(extra) - position) // 8}Q", extra, position))
            size, packed, offset = (
                next(wide, number) if number == _IN_EXTRA else number for number in (size, packed, offset)
            )
            break
        position += length
    return size, packed, offset
