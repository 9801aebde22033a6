"""A ZIP file, read at positions and never extracted to disk.

Opening reads the central directory and the first bytes of every image, nothing more. Archives are not
trusted: no number they state is believed beyond the limits of ``core.base.settings``, and names are only labels.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Self

from core.base.checksum import crc32
from core.base.errors import ArchiveError, ArchiveTruncated, ImageError, LimitExceeded
from core.base.settings import MIB, Settings
from core.images.formats.format import PIECE_BYTES, FileReader
from core.stacks.sources.rules import Candidate, Refusal, Selection, select
from core.stacks.sources.source import Source

_LOCAL_SIGNATURE = b"PK\x03\x04"  # PKWARE APPNOTE.TXT, 4.3.7: what a local file header begins with
_DIRECTORY_SIGNATURE = b"PK\x01\x02"  # 4.3.12: what each file in the central directory begins with
# The fixed part of a local file header: its mark, and the lengths of the name and of the extra field (4.3.7).
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_FLAG_ENCRYPTED = 0x1  # 4.4.4: general purpose flags
_FLAG_UTF8 = 0x800

# Deflate never makes data longer than by this and a 64th; its own tables, before the first byte, take under 300.
_DEFLATE_EXTRA_BYTES = 990
_LONGEST_END_BYTES = 22 + 65_535  # the end record with its longest comment, which zipfile may read in one go
_DIRECTORY_BYTES_PER_ENTRY = 512  # 46 bytes, the name and extra fields: real archives stay far below
_RATIO_CHECK_BYTES = MIB  # smaller entries are harmless at any ratio, and plain icons do compress well
_SPECIAL_FILES = {stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK}

_DAMAGED = "The file is damaged inside the ZIP; make the archive again."


class ZipSource(Source):
    """The images of a ZIP."""

    def __init__(self, archive: io.FileIO, selection: Selection) -> None:
        self._archive = archive
        self._files = selection.files
        self.entries = selection.entries
        self.skipped = selection.skipped

    @classmethod
    def open(cls, path: Path, settings: Settings) -> Self:
        """Index the ZIP at ``path``, which must stay there until ``close``.

        Raises:
            ArchiveTruncated, ArchiveEncrypted, ArchiveEmpty: as their names say.
            LimitExceeded: more entries or bytes than ``settings`` allow.
            ArchiveError: the archive's list of files is damaged.
        """
        archive = _BoundedFile(path, settings.max_entries)
        try:
            members = _read_directory(archive, settings)
            return cls(archive, select(_candidates(archive, members, settings), settings))
        except BaseException:
            archive.close()
            raise

    def file(self, index: int) -> FileReader:
        """See ``Source.file``."""
        return self._files[index]

    def close(self) -> None:
        """See ``Source.close``."""
        self._archive.close()


class _Zip:
    """ZIP as one of the kinds of source."""

    name = "ZIP archive"

    def matches(self, path: Path) -> bool:
        """By the first bytes, or by the end: an empty archive, or one behind a program, begins with something else."""
        with path.open("rb") as file:
            return file.read(len(_LOCAL_SIGNATURE)) == _LOCAL_SIGNATURE or _has_end(file)

    def open(self, path: Path, settings: Settings) -> Source:
        """See ``ZipSource.open``."""
        return ZipSource.open(path, settings)


SOURCE = _Zip()


class _Member:
    """One file of a ZIP, read by position (``pread``), so that threads share the archive without a lock.

    zipfile's own reader would make them take turns, and is far slower for the short reads of indexing.
    """

    __slots__ = ("_archive", "_info")

    def __init__(self, archive: io.FileIO, info: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._info = info

    @property
    def size(self) -> int:
        """Bytes after decompression, as the directory states them."""
        return self._info.file_size

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        """See ``FileReader.read``. A part behind the start of a compressed file takes as long as the whole."""
        if count is None:
            return self._whole()[start:]
        if start == 0:
            return self._first(count)
        if self._info.compress_type == zipfile.ZIP_STORED:
            return self._packed(start, min(count, max(self._info.compress_size - start, 0)))
        return self._whole()[start : start + count]

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        """See ``FileReader.pieces``."""
        checksum, position = 0, 0
        for piece in self._unpacked():
            checksum = crc32(piece, checksum)
            wanted = piece[max(start - position, 0) :]
            position += len(piece)
            if position > self._info.file_size:
                raise ImageError(_DAMAGED)
            if wanted:
                yield wanted
        if position != self._info.file_size or checksum != self._info.CRC:
            raise ImageError(_DAMAGED)

    def _unpacked(self) -> Iterator[bytes]:
        """All bytes, ``PIECE_BYTES`` at a time, and at least one more than there should be where there are more."""
        stored = self._info.compress_type == zipfile.ZIP_STORED
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        for start in range(0, self._info.compress_size, PIECE_BYTES):
            packed = self._packed(start, min(PIECE_BYTES, self._info.compress_size - start))
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
        data = self._first(self._info.file_size + 1)
        if len(data) != self._info.file_size or crc32(data) != self._info.CRC:
            raise ImageError(_DAMAGED)
        return data

    def _first(self, count: int) -> bytes:
        """Up to ``count`` decompressed bytes (at least 1), and no more read or decompressed than that takes."""
        longest = count + count // 64 + _DEFLATE_EXTRA_BYTES
        packed = self._packed(0, min(self._info.compress_size, longest))
        if self._info.compress_type == zipfile.ZIP_STORED:
            return packed[:count]
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, count)
        except zlib.error as error:
            raise ImageError(_DAMAGED) from error

    def _packed(self, start: int, count: int) -> bytes:
        """``count`` bytes as they are in the archive, from ``start`` of the file's data on."""
        descriptor, offset = self._archive.fileno(), self._info.header_offset
        header = os.pread(descriptor, _LOCAL_HEADER.size, offset)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_LOCAL_SIGNATURE):
            raise ImageError(_DAMAGED)
        _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        return os.pread(descriptor, count, offset + _LOCAL_HEADER.size + name_length + extra_length + start)


class _BoundedFile(io.FileIO):
    """A file that refuses an endless central directory.

    zipfile loads it whole, however long it claims to be, and makes an object of each file listed in it, so both
    limits must hold before. Beside the directory, only the records at the end are read with a size.
    """

    def __init__(self, path: Path, max_entries: int) -> None:
        super().__init__(path)
        self._max_entries = max_entries

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return super().read(size)
        if size > max(_LONGEST_END_BYTES, self._max_entries * _DIRECTORY_BYTES_PER_ENTRY):
            raise LimitExceeded("The ZIP's list of files is too long. Split it into smaller archives.")
        data = super().read(size)
        if (entries := data.count(_DIRECTORY_SIGNATURE)) > self._max_entries:
            raise LimitExceeded(
                f"The ZIP lists {entries:,} files; at most {self._max_entries:,} are allowed. "
                "Split it into smaller archives."
            )
        return data


def _read_directory(archive: io.FileIO, settings: Settings) -> list[zipfile.ZipInfo]:
    """Everything the archive lists, within the limits on number and total size."""
    try:
        members = zipfile.ZipFile(archive).infolist()
    # Beside BadZipFile, zipfile lets slip what a damaged directory trips: bad offsets, lengths, names, versions.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        if _has_end(archive):
            raise ArchiveError(
                "The ZIP's list of files is damaged, or in another part; make one archive again."
            ) from error
        # The list stands at the very end, so a cut-off archive lacks it.
        raise ArchiveTruncated(
            "The ZIP ends too early, as after an interrupted download; copy or download it again."
        ) from error
    total = sum(member.file_size for member in members)
    if total > settings.max_total_bytes:
        raise LimitExceeded(
            f"The files in the ZIP take {total / MIB:,.1f} MiB after decompression; at most "
            f"{settings.max_total_bytes / MIB:,.1f} MiB are allowed. Split it into smaller archives."
        )
    return members


def _has_end(file: io.BufferedReader | io.FileIO) -> bool:
    """Whether the file ends as a ZIP does."""
    try:
        return zipfile.is_zipfile(file)
    except zipfile.BadZipFile:  # an end that speaks of several parts
        return True


def _candidates(archive: io.FileIO, members: Sequence[zipfile.ZipInfo], settings: Settings) -> list[Candidate]:
    """All files, with what is wrong with each as far as the directory tells."""
    archive_bytes = os.fstat(archive.fileno()).st_size
    overlaps = _overlapping(members)
    return [
        Candidate(
            _path_of(member),
            member.file_size,
            _Member(archive, member),
            _refuse(member, archive_bytes, position in overlaps, settings),
        )
        for position, member in enumerate(members)
    ]


def _path_of(member: zipfile.ZipInfo) -> str:
    """The path as it was meant: UTF-8 even where its flag is missing."""
    path = member.orig_filename
    if not member.flag_bits & _FLAG_UTF8:
        with suppress(UnicodeError):  # zipfile has read the bytes as cp437; programs without the flag write both
            path = path.encode("cp437").decode("utf-8")
    return path


def _overlapping(members: Sequence[zipfile.ZipInfo]) -> set[int]:
    """Positions of the files whose data runs into the next file's.

    No program writes such archives, but in a bomb the same bytes can stand for thousands of files
    (David Fifield, "A better zip bomb", 2019). Of files at the very same place the last one counts.
    """
    by_offset = sorted(range(len(members)), key=lambda position: members[position].header_offset)
    return {
        first
        for first, second in pairwise(by_offset)
        if members[first].header_offset + _LOCAL_HEADER.size + members[first].compress_size
        > members[second].header_offset
    }


def _refuse(member: zipfile.ZipInfo, archive_bytes: int, overlaps: bool, settings: Settings) -> Refusal | None:
    """What keeps the file from being read, as far as the directory tells."""
    checks = (
        (
            stat.S_IFMT(member.external_attr >> 16) in _SPECIAL_FILES,  # where Unix programs keep the mode of a file
            "special_file",
            "A link or a device and not an image; pack the image itself.",
        ),
        (member.flag_bits & _FLAG_ENCRYPTED, "encrypted", "Protected by a password; pack it without one."),
        (
            member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
            "unsupported_compression",
            "Compressed in a way that is not supported; pack it with the usual method (Deflate).",
        ),
        (
            member.file_size > max(_RATIO_CHECK_BYTES, settings.max_compression_ratio * member.compress_size),
            "suspicious_ratio",
            "Compressed far more than a real image can be; export it again.",
        ),
        (
            not 0 <= member.header_offset <= archive_bytes - member.compress_size,
            "image_invalid",
            "The ZIP points outside itself for this file; make the archive again.",
        ),
        (overlaps, "overlapping", "The ZIP uses the same bytes for another file as well; make the archive again."),
    )
    return next((Refusal(code, reason) for failed, code, reason in checks if failed), None)
