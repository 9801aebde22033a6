"""A ZIP file, read at positions and never extracted to disk.

Opening reads the central directory and the first bytes of every image, nothing more. Archives are not
trusted: no number they state is believed beyond the limits of ``core.base.settings``, and names are only labels.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from collections.abc import Hashable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Self

from core.base.checksum import crc32
from core.base.errors import ArchiveError, ArchiveTruncated, ImageError, LimitExceeded
from core.base.giving_way import giving_way
from core.base.settings import MIB, Settings
from core.images.formats.format import PIECE_BYTES, FileReader
from core.stacks.sources.rules import Candidate, Refusal, Selection, select
from core.stacks.sources.source import Scratch, Source
from core.stacks.sources.unpacked import Unpacked
from core.stacks.sources.zip_directory import IN_PARTS, Directory, Member, has_end, read_directory

_LOCAL_SIGNATURE = b"PK\x03\x04"  # PKWARE APPNOTE.TXT, 4.3.7: what a local file header begins with
_PART_SIGNATURE = b"PK\x07\x08"  # 8.5.3: what the first part of an archive in several begins with
# The fixed part of a local file header: its mark, and the lengths of the name and of the extra field (4.3.7).
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_FLAG_ENCRYPTED = 0x1  # 4.4.4: general purpose flags
_STORED, _DEFLATED = 0, 8  # 4.4.5: compression methods

# Deflate never makes data longer than by this and a 64th; its own tables, before the first byte, take under 300.
_DEFLATE_EXTRA_BYTES = 990
_RATIO_CHECK_BYTES = MIB  # smaller entries are harmless at any ratio, and plain icons do compress well
_SPECIAL_FILES = {stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK}

_DAMAGED = "The file is damaged inside the ZIP; make the archive again."


class ZipSource(Source):
    """The images of a ZIP."""

    def __init__(self, archive: _Archive, selection: Selection, places: list[_Place]) -> None:
        self._archive = archive
        self._places = [places[place] for place in selection.places]
        self.entries = selection.entries
        self.skipped = selection.skipped

    @classmethod
    def open(cls, path: Path, settings: Settings, scratch: Scratch) -> Self:
        """Index the ZIP at ``path``, which must stay there until ``close``.

        Raises:
            ArchiveTruncated, ArchiveEncrypted, ArchiveEmpty: as their names say.
            LimitExceeded: more entries or bytes than ``settings`` allow.
            ArchiveError: the archive's list of files is damaged.
        """
        file = path.open("rb", buffering=0)
        try:
            directory = _read_directory(file, settings)
            places = _places(file, directory)
            archive = _Archive(file, Unpacked(scratch))
            return cls(archive, select(_candidates(archive, directory, places, settings), settings), places)
        except BaseException:
            file.close()
            raise

    def file(self, index: int) -> FileReader:
        """See ``Source.file``."""
        return _File(self._archive, self._places[index])

    def close(self) -> None:
        """See ``Source.close``."""
        self._archive.file.close()


class _Zip:
    """ZIP as one of the kinds of source."""

    name = "ZIP archive"

    def matches(self, path: Path) -> bool:
        """By the first bytes, or by the end: an empty archive, or one behind a program, begins with something else."""
        with path.open("rb", buffering=0) as file:
            return file.read(len(_LOCAL_SIGNATURE)) in (_LOCAL_SIGNATURE, _PART_SIGNATURE) or has_end(file)

    def open(self, path: Path, settings: Settings, scratch: Scratch) -> Source:
        """See ``ZipSource.open``."""
        return ZipSource.open(path, settings, scratch)


SOURCE = _Zip()


_Place = tuple[int, int, int, int, int]
"""Where a file's data begins, -1 where it has no local header; bytes there, bytes unpacked, checksum, method."""


class _Archive:
    """The archive, and what of it had to be unpacked; ``key`` is its own, and keeps nothing open."""

    def __init__(self, file: io.FileIO, unpacked: Unpacked) -> None:
        self.file = file
        self.unpacked = unpacked
        self.key = object()


class _File:
    """One file of a ZIP, read by position (``pread``), so that threads share the archive without a lock."""

    __slots__ = ("_archive", "_crc", "_method", "_packed_size", "_start", "key", "size")

    def __init__(self, archive: _Archive, place: _Place) -> None:
        self._archive = archive
        self._start, self._packed_size, self.size, self._crc, self._method = place
        self.key: Hashable = (archive.key, self._start)

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        """See ``FileReader.read``. For a part behind its start, a compressed file is unpacked to disk."""
        if count is None:
            return self._whole()[start:]
        if start == 0:
            return self._first(count)
        if self._method == _STORED:
            return self._packed(start, min(count, max(self._packed_size - start, 0)))
        return self._archive.unpacked.read(self, start, count)

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        """See ``FileReader.pieces``."""
        checksum, position = 0, 0
        for piece in self._unpacked():
            checksum = crc32(piece, checksum)
            wanted = piece[max(start - position, 0) :]
            position += len(piece)
            if position > self.size:
                raise ImageError(_DAMAGED)
            if wanted:
                yield wanted
        if position != self.size or checksum != self._crc:
            raise ImageError(_DAMAGED)

    def _unpacked(self) -> Iterator[bytes]:
        """All bytes, ``PIECE_BYTES`` at a time, and at least one more than there should be where there are more."""
        stored = self._method == _STORED
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        for start in range(0, self._packed_size, PIECE_BYTES):
            packed = self._packed(start, min(PIECE_BYTES, self._packed_size - start))
            if stored:
                yield packed
                continue
            try:
                while packed and not inflater.eof:
                    yield inflater.decompress(packed, PIECE_BYTES)
                    packed = inflater.unconsumed_tail
            except zlib.error as error:
                raise ImageError(_DAMAGED) from error
        if not stored:
            yield inflater.flush()  # a few kilobytes at most: all that zlib keeps back is a match and some bits

    def _whole(self) -> bytes:
        data = self._first(self.size + 1)
        if len(data) != self.size or crc32(data) != self._crc:
            raise ImageError(_DAMAGED)
        return data

    def _first(self, count: int) -> bytes:
        """Up to ``count`` decompressed bytes (at least 1), and no more read or decompressed than that takes."""
        longest = count + count // 64 + _DEFLATE_EXTRA_BYTES
        packed = self._packed(0, min(self._packed_size, longest))
        if self._method == _STORED:
            return packed[:count]
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, count)
        except zlib.error as error:
            raise ImageError(_DAMAGED) from error

    def _packed(self, start: int, count: int) -> bytes:
        """``count`` bytes as they are in the archive, from ``start`` of the file's data on."""
        return os.pread(self._archive.file.fileno(), count, self._start + start)


def _read_directory(archive: io.FileIO, settings: Settings) -> Directory:
    """Everything the archive lists, within the limits on number and total size."""
    directory = read_directory(archive, settings.max_entries)
    if directory is None:
        archive.seek(0)
        if archive.read(len(_PART_SIGNATURE)) == _PART_SIGNATURE:
            raise ArchiveError(IN_PARTS)
        # The list stands at the very end, so a cut-off archive lacks it.
        raise ArchiveTruncated("The ZIP ends too early, as after an interrupted download; copy or download it again.")
    total = sum(member.size for member in giving_way(directory))
    if total > settings.max_total_bytes:
        raise LimitExceeded(
            f"The files in the ZIP take {total / MIB:,.1f} MiB after decompression; at most "
            f"{settings.max_total_bytes / MIB:,.1f} MiB are allowed. Split it into smaller archives."
        )
    return directory


def _places(archive: io.FileIO, directory: Directory) -> list[_Place]:
    """Where each file of the list is. Tuples of numbers, which no garbage collection looks through."""
    descriptor, limit = archive.fileno(), directory.start
    return [
        (_data_start(descriptor, member.offset, limit), member.packed_size, member.size, member.crc, member.method)
        for member in giving_way(directory)
    ]


def _data_start(descriptor: int, offset: int, limit: int) -> int:
    """Where the data begins of the file whose local header is at ``offset``; -1 where none is before ``limit``."""
    if not 0 <= offset <= limit - _LOCAL_HEADER.size:
        return -1
    signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(os.pread(descriptor, _LOCAL_HEADER.size, offset))
    return offset + _LOCAL_HEADER.size + name_bytes + extra_bytes if signature == _LOCAL_SIGNATURE else -1


def _candidates(
    archive: _Archive, directory: Directory, places: list[_Place], settings: Settings
) -> Iterator[Candidate]:
    """All files, with what is wrong with each as far as list and local header tell."""
    overlaps = _overlapping(directory, places)
    for number, (member, place) in enumerate(zip(directory, places, strict=True)):
        start, packed_size, *_ = place
        is_inside = 0 <= start <= directory.start - packed_size
        refused = _refuse(member, is_inside, number in overlaps, settings)
        yield Candidate(member.path, member.size, _File(archive, place), refused)


def _overlapping(directory: Directory, places: list[_Place]) -> set[int]:
    """Positions of the files that share bytes with one behind them, from their local headers to the ends of their data.

    No program writes such archives, but in a bomb the same bytes can stand for thousands of files
    (David Fifield, "A better zip bomb", 2019). Of files at the very same place the last one counts.
    """
    offsets = [member.offset for member in giving_way(directory)]
    by_offset = sorted(range(len(places)), key=offsets.__getitem__)
    return {
        first
        for first, second in giving_way(pairwise(by_offset))
        if places[first][0] + places[first][1] > offsets[second]
    }


def _refuse(member: Member, is_inside: bool, overlaps: bool, settings: Settings) -> Refusal | None:
    """What keeps the file from being read, as far as list and local header tell."""
    checks = (
        (
            stat.S_IFMT(member.mode) in _SPECIAL_FILES,  # where Unix programs keep the mode of a file
            "special_file",
            "A link or a device and not an image; pack the image itself.",
        ),
        (member.flags & _FLAG_ENCRYPTED, "encrypted", "Protected by a password; pack it without one."),
        (
            member.method not in (_STORED, _DEFLATED),
            "unsupported_compression",
            "Compressed in a way that is not supported; pack it with the usual method (Deflate).",
        ),
        (
            member.size > max(_RATIO_CHECK_BYTES, settings.max_compression_ratio * member.packed_size),
            "suspicious_ratio",
            "Compressed far more than a real image can be; export it again.",
        ),
        (not is_inside, "image_invalid", "The ZIP points to no whole file here; make the archive again."),
        (overlaps, "overlapping", "The ZIP uses the same bytes for another file as well; make the archive again."),
    )
    return next((Refusal(code, reason) for failed, code, reason in checks if failed), None)
