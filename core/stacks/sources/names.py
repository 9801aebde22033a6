"""The names of images: as people know them, distinct, and in the order in which people count.

Whoever makes an archive decides how many names there are and how long each is, and everybody else waits while one call
works on them. So nothing here takes more steps than a name has characters (of which there are few), and no one call
sees thousands of names.
"""

from __future__ import annotations

import heapq
import re
import unicodedata
from collections.abc import Sequence
from itertools import count
from pathlib import PurePosixPath
from typing import Any

from core.base.giving_way import giving_way

MAX_NAME_CHARACTERS = 512  # twice the MAX_PATH of Windows; normalising takes quadratic time, 0.5 s for 64 kB
MAX_FOLDERS = 64  # that a file lies in, one within the other; those of source code and medical archives have up to 20
MAX_NUMBERS = 32  # in a name that count as numbers; the digits behind them are text
SORTED_AT_ONCE = 1_000  # names; other threads wait while so many are sorted

# What archives are called that are opened; which kind one is, its content says.
ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")

# What stands in a sort key before any character that a name may have.
_STEM_ENDS, _FOLDER_ENDS, _NUMBER = "\x00", "\x01", "\x02"
_DIGITS = re.compile(r"\d{1,100}")  # nobody counts further, and reading a number takes quadratic time


def decoded_name(name: bytes) -> str:
    """The name as it was meant: programs write UTF-8 without saying so, and other bytes where they say it."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("cp437")  # any bytes are text in it


def is_archive(name: str) -> bool:
    """Whether a file is called as archives are that can be opened."""
    return name.lower().endswith(ARCHIVE_ENDINGS)


def tidy(path: str) -> str:
    """The path with ``/`` separators, composed accents (NFC) and no empty parts, of ``MAX_NAME_CHARACTERS`` at most.

    It ends with ``/`` for a folder, and begins with it where it is absolute.
    """
    path = unicodedata.normalize("NFC", path[:MAX_NAME_CHARACTERS].replace("\\", "/"))
    parts = "/".join(part for part in path.split("/") if part not in ("", "."))
    return "/" * path.startswith("/") + (parts or ".") + "/" * path.endswith("/")


def natural_key(name: str) -> bytes:
    """What names are sorted by: folder by folder, numbers by their value, without regard to case; ``10`` after ``9``.

    It is one string, compared byte by byte in one step, and not a list of parts, of which a name can have hundreds.
    """
    plain = unicodedata.normalize("NFD", name.casefold())  # an accent counts after the letter it stands on
    stem, dot, ending = plain.rpartition(".")
    if dot:
        plain = f"{stem}{_STEM_ENDS}{ending}"  # "a.png" before "a b.png"
    return _DIGITS.sub(_number_key, plain.replace("/", _FOLDER_ENDS), MAX_NUMBERS).encode("utf-8", "surrogatepass")


def in_natural_order(names: Sequence[str]) -> list[int]:
    """The positions of ``names`` in the order of ``natural_key``; equal ones keep theirs."""
    return in_order_of([natural_key(name) for name in giving_way(names)])


def in_order_of(keys: Sequence[Any]) -> list[int]:
    """The positions of ``keys`` from the lowest to the highest; equal ones keep their order."""
    parts = (range(start, min(start + SORTED_AT_ONCE, len(keys))) for start in range(0, len(keys), SORTED_AT_ONCE))
    slices = [sorted(part, key=keys.__getitem__) for part in giving_way(parts)]
    return list(giving_way(heapq.merge(*slices, key=keys.__getitem__)))


def _number_key(digits: re.Match[str]) -> str:
    """Longer numbers come after shorter ones, and those of one length stand in the order of their digits."""
    number = str(int(digits[0]))
    return f"{_NUMBER}{chr(len(number))}{number}"


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
