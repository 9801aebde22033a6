"""The headers of a TAR, read one after the other within limits (POSIX.1-2001, pax; GNU tar's long names and sizes).

Python's ``tarfile`` reads them too, but keeps an object of each file, follows headers of any length into memory, and
goes on quietly where an archive has been cut off. Nothing here is believed: every number is held to the file's size.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from core.base.errors import ArchiveError, ArchiveTruncated, LimitExceeded
from core.base.giving_way import giving_way
from core.base.settings import MIB, Settings
from core.stacks.sources.names import decoded_name

BLOCK = 512
_ZEROS = bytes(BLOCK)
_MAX_EXTENSION_BYTES = 256 * 1024  # of a header that says more of the next file; attributes of files take some kB
_MAX_EXTENSIONS = 8  # of one file
_MAX_SPARSE_BLOCKS = 1_000  # that say where a file with holes has its data: 21,000 pieces
_MAX_RECORD_DIGITS = 7

_FOLDER, _SPARSE = b"5", b"S"
_REGULAR = (b"0", b"\0", b"7", _FOLDER, _SPARSE)  # "7" is a file that some system keeps in one piece
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders, pipes: whatever size they state
_MORE_OF_ALL, _LONG_NAME, _LONG_LINK = b"g", b"L", b"K"
_EXTENSIONS = (b"x", b"X", _MORE_OF_ALL, _LONG_NAME, _LONG_LINK)
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_RECORD = re.compile(rb"(\d{1,%d}) ([^=]{1,200})=" % _MAX_RECORD_DIGITS)

_DAMAGED = "The TAR is damaged; make the archive again."
_TRUNCATED = "The TAR ends too early, as after an interrupted download; copy or download it again."


class Member(NamedTuple):
    """One file of the archive, ``size`` bytes from ``start`` on; ``is_regular`` unless it is a link or a device."""

    path: str
    start: int
    size: int
    is_regular: bool
    is_sparse: bool


@dataclass(slots=True)
class _More:
    """What stands in front of a file's own header and says more of it."""

    path: bytes | None = None
    size: int | None = None
    is_sparse: bool = False
    count: int = 0


def is_header(block: bytes) -> bool:
    """Whether a TAR can begin with ``block``: a header with the right checksum."""
    return len(block) == BLOCK and _has_checksum(block)


def members(file: io.FileIO, settings: Settings) -> Iterator[Member]:
    """Every file, link and folder (whose paths end with ``/``), in the order of the archive.

    Raises:
        ArchiveTruncated: the archive has no end.
        LimitExceeded: more files, or bytes, than ``settings`` allow.
        ArchiveError: a header is damaged.
    """
    file_bytes = os.fstat(file.fileno()).st_size
    position, count, total = 0, 0, 0
    more = _More()
    while (block := _read(file, position, BLOCK)) != _ZEROS:
        if not _has_checksum(block):
            raise ArchiveError(_DAMAGED)
        position += BLOCK
        kind, size = block[156:157], _number(block[124:136])
        if kind in _EXTENSIONS:
            _extend(more, kind, _extension(file, position, size))
            position += _padded(size)
            continue
        size = 0 if kind in _WITHOUT_DATA else size if more.size is None else more.size
        if kind == _SPARSE:
            position += _sparse_blocks(file, block, position) * BLOCK
        if size > file_bytes - position:
            raise ArchiveTruncated(_TRUNCATED)
        count += 1
        total += size
        _check_limits(count, total, settings)
        path = decoded_name(_path(block) if more.path is None else more.path)
        path = path.rstrip("/") + "/" if kind == _FOLDER else path
        yield Member(
            path, position, size, kind in (b"0", b"\0", b"7", _FOLDER, _SPARSE), more.is_sparse or kind == _SPARSE
        )
        position += _padded(size)
        more = _More()


def _read(file: io.FileIO, position: int, count: int) -> bytes:
    data = os.pread(file.fileno(), count, position)
    if len(data) < count:
        raise ArchiveTruncated(_TRUNCATED)
    return data


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _check_limits(count: int, total: int, settings: Settings) -> None:
    if count > settings.max_entries:
        raise LimitExceeded(f"The TAR lists more than {settings.max_entries:,} files. Split it into smaller archives.")
    if total > settings.max_total_bytes:
        raise LimitExceeded(
            f"The files in the TAR take more than {settings.max_total_bytes / MIB:,.1f} MiB. Split it into smaller "
            "archives."
        )


def _has_checksum(block: bytes) -> bool:
    """The sum of all bytes, with blanks in its own place; some old programs took bytes for signed numbers."""
    field = block[148:156]
    match = _OCTAL.fullmatch(field)
    if match is None or not match[1]:
        return False
    unsigned = sum(block) - sum(field) + 8 * ord(" ")
    stated = int(match[1], 8)
    if stated == unsigned:
        return True
    negative = sum(byte > 127 for byte in block) - sum(byte > 127 for byte in field)
    return stated == unsigned - 256 * negative


def _number(field: bytes) -> int:
    """Octal digits, or after a first bit of 1 a number of 256s."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    match = _OCTAL.fullmatch(field)
    if match is None:
        raise ArchiveError(_DAMAGED)
    return int(match[1] or b"0", 8)


def _path(block: bytes) -> bytes:
    name = block[:100].split(b"\0", 1)[0]
    prefix = block[345:500].split(b"\0", 1)[0] if block[257:263] == b"ustar\0" else b""  # GNU keeps times there
    return prefix + b"/" + name if prefix else name


def _extension(file: io.FileIO, position: int, size: int) -> bytes:
    if size > _MAX_EXTENSION_BYTES:
        raise LimitExceeded(
            f"The TAR says {size:,} bytes about one file; at most {_MAX_EXTENSION_BYTES:,} are allowed. Make it again "
            "without extended attributes."
        )
    return _read(file, position, size)


def _extend(more: _More, kind: bytes, data: bytes) -> None:
    """Take what an extension says of the next file."""
    more.count += 1
    if more.count > _MAX_EXTENSIONS:
        raise ArchiveError(_DAMAGED)
    if kind == _LONG_NAME:
        more.path = data.split(b"\0", 1)[0]
    elif kind != _LONG_LINK:
        for key, value in giving_way(_records(data)):
            # What holds for all files is a comment, or the time. Nobody has a name or size in common with all others.
            if kind == _MORE_OF_ALL and (key in (b"path", b"size") or key.startswith(b"GNU.sparse.")):
                raise ArchiveError(_DAMAGED)
            if key == b"path":
                more.path = value
            elif key == b"size":
                if not value.isdigit() or len(value) > 20:
                    raise ArchiveError(_DAMAGED)
                more.size = int(value)
            elif key.startswith(b"GNU.sparse."):
                more.is_sparse = True


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keyword and value of each record: its length in decimal, a blank, the keyword, ``=``, the value, a line's end."""
    position = 0
    while position < len(data):
        match = _RECORD.match(data, position)
        if match is None:
            raise ArchiveError(_DAMAGED)
        end = position + int(match[1])
        if not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise ArchiveError(_DAMAGED)
        yield match[2], data[match.end() : end - 1]
        position = end


def _sparse_blocks(file: io.FileIO, block: bytes, position: int) -> int:
    """How many blocks from ``position`` on go on with the list of a sparse file's pieces."""
    count, goes_on = 0, block[482]
    while goes_on:
        goes_on = _read(file, position + count * BLOCK, BLOCK)[504]
        count += 1
        if count > _MAX_SPARSE_BLOCKS:
            raise ArchiveError(_DAMAGED)
    return count
