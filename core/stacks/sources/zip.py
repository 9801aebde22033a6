"""A ZIP file as an ordered list of PNG entries, read straight from the ZIP and never extracted to disk.

Opening reads the central directory and the first bytes of every PNG, nothing more. Archives are not
trusted: no number they state is believed beyond the limits of ``core.base.settings``, and names are only labels.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from natsort import natsort_keygen, ns

from core.base.errors import (
    ArchiveEmpty,
    ArchiveEncrypted,
    ArchiveError,
    ArchiveTruncated,
    ImageError,
    LimitExceeded,
    NotAZip,
)
from core.base.settings import MIB, Settings
from core.images.formats.png import HEADER_BYTES, PngHeader, check_size, crc32, read_header
from core.stacks.sources.rules import LOCAL_HEADER, Skipped, UniqueNames, overlapping, path_of, refuse

__all__ = ["Archive", "Entry", "Skipped"]

_LOCAL_SIGNATURE = b"PK\x03\x04"  # PKWARE APPNOTE.TXT, 4.3.7: what a local file header begins with
_DIRECTORY_SIGNATURE = b"PK\x01\x02"  # 4.3.12: what each file in the central directory begins with

_PEEK_BYTES = 1024  # compressed bytes that hold the first HEADER_BYTES; deflate's own tables take under 300
_LONGEST_END_BYTES = 22 + 65_535  # the end record with its longest comment, which zipfile may read in one go
_DIRECTORY_BYTES_PER_ENTRY = 512  # 46 bytes, the name and extra fields: real archives stay far below

_DAMAGED = "The file is damaged inside the ZIP; make the archive again."

natural_key = natsort_keygen(alg=ns.IGNORECASE | ns.PATH)


@dataclass(frozen=True, slots=True)
class Entry:
    """One PNG of an archive: its unique path with ``/`` separators, its header, its decompressed size in bytes."""

    name: str
    header: PngHeader
    file_size: int


class Archive:
    """The PNG ``entries`` of a ZIP in natural order, and the files ``skipped`` in archive order."""

    def __init__(
        self, file: io.FileIO, found: list[tuple[Entry, zipfile.ZipInfo]], skipped: tuple[Skipped, ...]
    ) -> None:
        self._file = file
        self._members = tuple(member for _, member in found)
        self.entries = tuple(entry for entry, _ in found)
        self.skipped = skipped

    @classmethod
    def open(cls, path: Path, settings: Settings) -> Self:
        """Index the ZIP at ``path``, which must stay there until ``close``.

        Raises:
            NotAZip, ArchiveTruncated, ArchiveEncrypted, ArchiveEmpty: as their names say.
            LimitExceeded: more entries or bytes than ``settings`` allow.
            ArchiveError: the archive's list of files is damaged.
        """
        file = _BoundedFile(path, settings.max_entries)
        try:
            found, skipped = _select(file, _read_directory(file, settings), settings)
            if not found:
                raise _nothing_found(skipped)
        except BaseException:
            file.close()
            raise
        found.sort(key=lambda pair: natural_key(pair[0].name))
        return cls(file, found, tuple(skipped))

    def read(self, index: int) -> bytes:
        """The decompressed bytes of ``entries[index]``; threads may read at the same time.

        Raises:
            ImageError: the entry is damaged, or not of the size that the archive states.
            ValueError: the archive is closed.
        """
        member = self._members[index]
        size = member.file_size
        longest_packed = size + size // 64 + _PEEK_BYTES  # deflate never makes data longer than this
        data = _read_member(self._file, member, longest_packed, size + 1)
        if len(data) != size or crc32(data) != member.CRC:
            raise ImageError(_DAMAGED)
        return data

    def close(self) -> None:
        """Close the file; no thread may be reading."""
        self._file.close()

    def __enter__(self) -> Self:
        """Return the archive itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the archive."""
        self.close()


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


def _read_directory(file: io.FileIO, settings: Settings) -> list[zipfile.ZipInfo]:
    """Everything the archive lists, within the limits on number and total size."""
    try:
        members = zipfile.ZipFile(file).infolist()
    # Beside BadZipFile, zipfile lets slip what a damaged directory trips: bad offsets, lengths, names, versions.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise _unreadable(file) from error
    total = sum(member.file_size for member in members)
    if total > settings.max_total_bytes:
        raise LimitExceeded(
            f"The files in the ZIP take {total / MIB:,.1f} MiB after decompression; at most "
            f"{settings.max_total_bytes / MIB:,.1f} MiB are allowed. Split it into smaller archives."
        )
    return members


def _unreadable(file: io.FileIO) -> ArchiveError:
    """Why zipfile cannot read the list of files: it stands at the very end, so a cut-off archive lacks it."""
    file.seek(0)
    start = file.read(len(_LOCAL_SIGNATURE))
    try:
        has_end = zipfile.is_zipfile(file)
    except zipfile.BadZipFile:  # an end that speaks of several parts
        has_end = True
    if has_end:
        return ArchiveError("The ZIP's list of files is damaged, or in another part; make one archive again.")
    if start == _LOCAL_SIGNATURE:
        return ArchiveTruncated("The ZIP ends too early, as after an interrupted download; copy or download it again.")
    return NotAZip("The file is not a ZIP archive; pack the PNG images into a .zip file.")


def _select(
    file: io.FileIO, members: list[zipfile.ZipInfo], settings: Settings
) -> tuple[list[tuple[Entry, zipfile.ZipInfo]], list[Skipped]]:
    """Part the files of an archive into PNG entries and skipped ones, in archive order; folders are neither."""
    archive_bytes = os.fstat(file.fileno()).st_size
    overlaps = overlapping(members)
    paths = [(position, path_of(member)) for position, member in enumerate(members)]
    files = [(position, str(PurePosixPath(path))) for position, path in paths if not path.endswith("/")]
    names = UniqueNames({name for _, name in files})
    found: list[tuple[Entry, zipfile.ZipInfo]] = []
    skipped: list[Skipped] = []
    for position, name in files:
        member = members[position]
        if refused := refuse(member, name, archive_bytes, position in overlaps, settings):
            skipped.append(refused)
            continue
        try:
            header = read_header(_read_member(file, member, _PEEK_BYTES, HEADER_BYTES))
            check_size(header, settings.max_pixels)
        except ImageError as error:
            skipped.append(Skipped(name, error.code, str(error)))
            continue
        found.append((Entry(names.claim(name), header, member.file_size), member))
    return found, skipped


def _nothing_found(skipped: list[Skipped]) -> ArchiveError:
    """What to say of an archive without a usable PNG."""
    counts = Counter(item.code for item in skipped)
    if counts["encrypted"]:
        return ArchiveEncrypted("The images in the ZIP are protected by a password; pack them without one.")
    if not counts:
        return ArchiveEmpty("The ZIP is empty; pack PNG images into it.")
    listed = ", ".join(f"{count} {code.replace('_', ' ')}" for code, count in counts.most_common())
    return ArchiveEmpty(f"The ZIP holds no usable PNG image (files found: {listed}); pack PNG images into it.")


def _read_member(file: io.FileIO, member: zipfile.ZipInfo, compressed_limit: int, limit: int) -> bytes:
    """Up to ``limit`` decompressed bytes (at least 1) from the first ``compressed_limit`` compressed ones.

    Reads at a position (``pread``), so threads share the file without a lock; zipfile's own reader would make
    them take turns and is far slower for the short reads of indexing.
    """
    header = os.pread(file.fileno(), LOCAL_HEADER.size, member.header_offset)
    if len(header) < LOCAL_HEADER.size or not header.startswith(_LOCAL_SIGNATURE):
        raise ImageError(_DAMAGED)
    _, name_length, extra_length = LOCAL_HEADER.unpack(header)
    start = member.header_offset + LOCAL_HEADER.size + name_length + extra_length
    packed = os.pread(file.fileno(), min(member.compress_size, compressed_limit), start)
    if member.compress_type == zipfile.ZIP_STORED:
        return packed[:limit]
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, limit)
    except zlib.error as error:
        raise ImageError(_DAMAGED) from error
