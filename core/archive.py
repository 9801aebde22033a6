"""A ZIP file as an ordered list of PNG entries, read straight from the ZIP and never extracted to disk.

Opening reads the central directory and the first bytes of every PNG, nothing more. Archives are not
trusted: no number they state is believed beyond the limits of ``core.settings``, and names are only labels.
"""

from __future__ import annotations

import io
import os
import re
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from natsort import natsort_keygen, ns

from core.errors import (
    ArchiveEmpty,
    ArchiveEncrypted,
    ArchiveError,
    ArchiveTruncated,
    ImageError,
    LimitExceeded,
    NotAZip,
)
from core.png import HEADER_BYTES, PngHeader, check_size, read_header
from core.settings import MIB, Settings

# ZIP specification (PKWARE APPNOTE.TXT): 4.3.7, the fixed part of a local file header, of which the lengths
# of the name and of the extra field are read here; 4.4.4, the general purpose flags.
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_FLAG_ENCRYPTED = 0x1
_FLAG_UTF8 = 0x800

_RATIO_CHECK_BYTES = MIB  # smaller entries are harmless at any ratio, and plain icons do compress well
_PEEK_BYTES = 1024  # compressed bytes that hold the first HEADER_BYTES; deflate's own tables take under 300
_DIRECTORY_BYTES_PER_ENTRY = 1024  # 46 bytes, the name and extra fields: real archives stay far below
_SYSTEM_NAMES = {"__macosx", "thumbs.db", "desktop.ini"}
_UNSAFE_PATH = re.compile(r"/|[A-Za-z]:|(.*/)?\.\.(/|$)")  # absolute, a drive letter, or climbing out

_DAMAGED = "The file is damaged inside the ZIP; make the archive again."

_natural_key = natsort_keygen(alg=ns.IGNORECASE | ns.PATH)


@dataclass(frozen=True, slots=True)
class Entry:
    """One PNG of an archive: its unique path with ``/`` separators, its header, its decompressed size in bytes."""

    name: str
    header: PngHeader
    file_size: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """One file of an archive that is left out: a stable code for programs, a sentence for people."""

    name: str
    code: str
    reason: str


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
        file = _BoundedFile(path, settings.max_entries * _DIRECTORY_BYTES_PER_ENTRY)
        try:
            found, skipped = _select(file, _read_directory(file, settings), settings)
            if not found:
                raise _nothing_found(skipped)
        except BaseException:
            file.close()
            raise
        found.sort(key=lambda pair: _natural_key(pair[0].name))
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
        if len(data) != size or zlib.crc32(data) != member.CRC:
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
    """A file that refuses long reads: zipfile loads a central directory whole, however long it claims to be."""

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(path)
        self._limit = limit

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._limit:
            raise LimitExceeded("The ZIP's list of files is too long. Split it into smaller archives.")
        return super().read(size)


def _read_directory(file: io.FileIO, settings: Settings) -> list[zipfile.ZipInfo]:
    """Everything the archive lists, within the limits on number and total size."""
    try:
        members = zipfile.ZipFile(file).infolist()
    # Beside BadZipFile, zipfile lets slip what a damaged directory trips: bad offsets, lengths, names, versions.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise _unreadable(file) from error
    if len(members) > settings.max_entries:
        raise LimitExceeded(
            f"The ZIP lists {len(members):,} files; at most {settings.max_entries:,} are allowed. "
            "Split it into smaller archives."
        )
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
    if zipfile.is_zipfile(file):
        return ArchiveError("The ZIP's list of files is damaged; make the archive again.")
    if start == _LOCAL_SIGNATURE:
        return ArchiveTruncated("The ZIP ends too early, as after an interrupted download; copy or download it again.")
    return NotAZip("The file is not a ZIP archive; pack the PNG images into a .zip file.")


def _select(
    file: io.FileIO, members: list[zipfile.ZipInfo], settings: Settings
) -> tuple[list[tuple[Entry, zipfile.ZipInfo]], list[Skipped]]:
    """Part the files of an archive into PNG entries and skipped ones, in archive order; folders are neither."""
    archive_bytes = os.fstat(file.fileno()).st_size
    paths = [(member, _path(member)) for member in members]
    files = [(member, str(PurePosixPath(path))) for member, path in paths if not path.endswith("/")]
    taken = {name for _, name in files}
    used: Counter[str] = Counter()
    found: list[tuple[Entry, zipfile.ZipInfo]] = []
    skipped: list[Skipped] = []
    for member, name in files:
        if refused := _refuse(member, name, archive_bytes, settings):
            skipped.append(refused)
            continue
        try:
            header = read_header(_read_member(file, member, _PEEK_BYTES, HEADER_BYTES))
            check_size(header, settings.max_pixels)
        except ImageError as error:
            skipped.append(Skipped(name, error.code, str(error)))
            continue
        unique = _numbered(name, taken, used[name] + 1) if used[name] else name
        used[name] += 1
        taken.add(unique)
        found.append((Entry(unique, header, member.file_size), member))
    return found, skipped


def _path(member: zipfile.ZipInfo) -> str:
    """The path as people know it: UTF-8 even where its flag is missing, ``/`` separators, composed accents (NFC)."""
    path = member.orig_filename
    if not member.flag_bits & _FLAG_UTF8:
        with suppress(UnicodeError):  # zipfile has read the bytes as cp437; programs without the flag write both
            path = path.encode("cp437").decode("utf-8")
    return unicodedata.normalize("NFC", path.replace("\\", "/"))


def _numbered(name: str, taken: set[str], number: int) -> str:
    """``name (2).png`` for the second file called ``name.png``, or the next free number."""
    path = PurePosixPath(name)
    while (candidate := str(path.with_name(f"{path.stem} ({number}){path.suffix}"))) in taken:
        number += 1
    return candidate


def _refuse(member: zipfile.ZipInfo, name: str, archive_bytes: int, settings: Settings) -> Skipped | None:
    """Why the file is left out, as far as the central directory tells; ``None`` if it is worth opening."""
    path = PurePosixPath(name)
    shown = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) == "Cc" else char for char in name)
    hidden = any(part.startswith(".") or part.lower() in _SYSTEM_NAMES for part in path.parts)
    too_dense = member.file_size > max(_RATIO_CHECK_BYTES, settings.max_compression_ratio * member.compress_size)
    outside = not 0 <= member.header_offset <= archive_bytes - member.compress_size
    checks = (
        (shown != name or _UNSAFE_PATH.match(name), "unsafe_name", "The name leads outside the archive; rename it."),
        (hidden, "hidden", "A hidden or system file."),
        (path.suffix.lower() != ".png", "not_an_image", "Not a PNG image; only PNG is read, so convert images to it."),
        (member.flag_bits & _FLAG_ENCRYPTED, "encrypted", "Protected by a password; pack it without one."),
        (
            member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
            "unsupported_compression",
            "Compressed in a way that is not supported; pack it with the usual method (Deflate).",
        ),
        (
            member.file_size > settings.max_entry_bytes,
            "entry_too_large",
            f"Larger than {settings.max_entry_bytes / MIB:,.1f} MiB; make it smaller.",
        ),
        (too_dense, "suspicious_ratio", "Compressed far more than a real image can be; export it again."),
        (outside, "image_invalid", "The ZIP points outside itself for this file; make the archive again."),
    )
    return next((Skipped(shown, code, reason) for failed, code, reason in checks if failed), None)


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
    header = os.pread(file.fileno(), _LOCAL_HEADER.size, member.header_offset)
    if len(header) < _LOCAL_HEADER.size or not header.startswith(_LOCAL_SIGNATURE):
        raise ImageError(_DAMAGED)
    _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    start = member.header_offset + _LOCAL_HEADER.size + name_length + extra_length
    packed = os.pread(file.fileno(), min(member.compress_size, compressed_limit), start)
    if member.compress_type == zipfile.ZIP_STORED:
        return packed[:limit]
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, limit)
    except zlib.error as error:
        raise ImageError(_DAMAGED) from error
