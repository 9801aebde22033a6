"""Which files of a ZIP are usable, as far as its central directory tells, and the names they are shown by."""

from __future__ import annotations

import re
import stat
import struct
import unicodedata
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import PurePosixPath

from core.base.settings import MIB, Settings

# The fixed part of a local file header: its mark, and the lengths of the name and of the extra field
# (PKWARE APPNOTE.TXT, 4.3.7).
LOCAL_HEADER = struct.Struct("<4s22xHH")
MAX_NAME_CHARACTERS = 512  # twice the MAX_PATH of Windows; normalising takes quadratic time, 0.5 s for 64 kB

# PKWARE APPNOTE.TXT, 4.4.4: general purpose flags.
_FLAG_ENCRYPTED = 0x1
_FLAG_UTF8 = 0x800

_RATIO_CHECK_BYTES = MIB  # smaller entries are harmless at any ratio, and plain icons do compress well
_SYSTEM_NAMES = {"__macosx", "thumbs.db", "desktop.ini"}
_UNSAFE_PATH = re.compile(r"/|[A-Za-z]:|(.*/)?\.\.(/|$)")  # absolute, a drive letter, or climbing out
# Control characters, line separators, and the marks that make text run backwards: with those a name can pose as
# another one (Unicode Technical Report 36, 3.4).
_UNSAFE_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SPECIAL_FILES = {stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK}


@dataclass(frozen=True, slots=True)
class Skipped:
    """One file of an archive that is left out: a stable code for programs, a sentence for people."""

    name: str
    code: str
    reason: str


def path_of(member: zipfile.ZipInfo) -> str:
    """The path as people know it: UTF-8 even where its flag is missing, ``/`` separators, composed accents (NFC).

    It ends with ``/`` for a folder, and is cut off at ``MAX_NAME_CHARACTERS``.
    """
    path = member.orig_filename[:MAX_NAME_CHARACTERS]
    if not member.flag_bits & _FLAG_UTF8:
        with suppress(UnicodeError):  # zipfile has read the bytes as cp437; programs without the flag write both
            path = path.encode("cp437").decode("utf-8")
    return unicodedata.normalize("NFC", path.replace("\\", "/"))


def overlapping(members: Sequence[zipfile.ZipInfo]) -> set[int]:
    """Positions of the files whose data runs into the next file's.

    No program writes such archives, but in a bomb the same bytes can stand for thousands of files
    (David Fifield, "A better zip bomb", 2019). Of files at the very same place the last one counts.
    """
    by_offset = sorted(range(len(members)), key=lambda position: members[position].header_offset)
    return {
        first
        for first, second in pairwise(by_offset)
        if members[first].header_offset + LOCAL_HEADER.size + members[first].compress_size
        > members[second].header_offset
    }


def refuse(
    member: zipfile.ZipInfo, name: str, archive_bytes: int, overlaps: bool, settings: Settings
) -> Skipped | None:
    """Why the file is left out; ``None`` if it is worth opening.

    Args:
        member: what the central directory says of the file.
        name: its path, as ``path_of`` gives it.
        archive_bytes: size of the whole archive.
        overlaps: its data runs into the next file's.
        settings: the limits.
    """
    path = PurePosixPath(name)
    shown = _UNSAFE_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", name)
    hidden = any(part.startswith(".") or part.lower() in _SYSTEM_NAMES for part in path.parts)
    too_dense = member.file_size > max(_RATIO_CHECK_BYTES, settings.max_compression_ratio * member.compress_size)
    outside = not 0 <= member.header_offset <= archive_bytes - member.compress_size
    checks = (
        (
            len(member.orig_filename) > MAX_NAME_CHARACTERS,
            "unsafe_name",
            f"The name is longer than {MAX_NAME_CHARACTERS:,} characters; shorten it.",
        ),
        (shown != name, "unsafe_name", "The name contains control characters; rename the file."),
        (_UNSAFE_PATH.match(name), "unsafe_name", "The name leads outside the archive; rename it."),
        (hidden, "hidden", "A hidden or system file."),
        (
            stat.S_IFMT(member.external_attr >> 16) in _SPECIAL_FILES,  # where Unix programs keep the mode of a file
            "special_file",
            "A link or a device and not an image; pack the image itself.",
        ),
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
        (overlaps, "overlapping", "The ZIP uses the same bytes for another file as well; make the archive again."),
    )
    return next((Skipped(shown, code, reason) for failed, code, reason in checks if failed), None)


class UniqueNames:
    """Names of which no two are equal: the second ``a.png`` becomes ``a (2).png``, or the next free number.

    ``reserved`` are the names that all files have by themselves; no number makes another file take one of them.
    """

    def __init__(self, reserved: set[str]) -> None:
        self._taken = reserved
        # One counter for each name: counting from 2 every time is quadratic where thousands of files share a name.
        self._numbers: dict[str, count[int]] = {}

    def claim(self, name: str) -> str:
        """``name`` itself the first time it is asked for, a numbered one afterwards."""
        if name not in self._numbers:
            self._numbers[name] = count(2)
            return name
        path = PurePosixPath(name)
        candidates = (str(path.with_name(f"{path.stem} ({number}){path.suffix}")) for number in self._numbers[name])
        unique = next(candidate for candidate in candidates if candidate not in self._taken)
        self._taken.add(unique)
        return unique
