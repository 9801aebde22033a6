"""The names of images: as people know them, distinct, and in the order in which people count."""

from __future__ import annotations

import unicodedata
from itertools import count
from pathlib import PurePosixPath

MAX_NAME_CHARACTERS = 512  # twice the MAX_PATH of Windows; normalising takes quadratic time, 0.5 s for 64 kB


def tidy(path: str) -> str:
    """The path with ``/`` separators and composed accents (NFC), cut off beyond ``MAX_NAME_CHARACTERS``.

    It ends with ``/`` for a folder.
    """
    return unicodedata.normalize("NFC", path[:MAX_NAME_CHARACTERS].replace("\\", "/"))


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
