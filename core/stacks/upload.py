"""A file, or several, that arrive piece by piece, most often on their way to become a stack."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from core.base.disk import disk_errors, write_at
from core.base.errors import LimitExceeded
from core.base.settings import MIB
from core.images.formats import format_names, format_of_name, says_nothing
from core.stacks.quota import QuotaShare
from core.stacks.sources.names import is_archive

ID_BYTES = 16  # 128 random bits of what stacks and files are found by: guessing one is out of reach
GRANT_BYTES = MIB  # quota and free space are looked at once for so much
Made = TypeVar("Made")  # what becomes of it


def only_these() -> str:
    """The sentence about a file that is called like nothing that can be opened."""
    return f"Only .zip files are allowed, .tar files (also .gz, .bz2, .xz and .zst) and {format_names()} images."


def can_open(name: str) -> bool:
    """Whether a file is called like something that can be opened, or like nothing; what it is, its content says."""
    return is_archive(name) or format_of_name(name) is not None or says_nothing(name)


def too_large(limit: int) -> str:
    """The sentence about a file of more than ``limit`` bytes."""
    return f"The file is larger than the {limit // MIB:,} MB this server accepts."


class Upload(Generic[Made]):
    """Takes bytes as they come. Unless ``finish`` succeeds, nothing of it is left once the ``with`` block ends.

    To be used by one thread at a time. ``size`` is the number of bytes written so far, ``path`` where they are, one
    file after the other; ``starts`` are the names of those that ``begin`` was told of, and where each begins.
    """

    def __init__(
        self,
        folder: Path,
        share: QuotaShare,
        limit: int,
        make: Callable[[Upload[Made], str], Made],
        filename: str = "file",
    ) -> None:
        self._limit = limit
        self._make = make
        self._granted = 0
        self.folder = folder
        self.share = share
        self.size = 0
        self.starts: list[tuple[str, int]] = []
        self.path = folder / filename
        with disk_errors():
            folder.mkdir(mode=0o700, parents=True)
            self._file = self.path.open("xb", buffering=0)

    def begin(self, name: str) -> None:
        """What is written from here on is another file, called ``name``."""
        self.starts.append((name, self.size))

    def write(self, piece: bytes) -> None:
        """Append ``piece``.

        Raises:
            LimitExceeded: the file is larger than ``limit`` bytes.
            TooManyStacks, QuotaExceeded, DiskFull: there is no room for it.
        """
        end = self.size + len(piece)
        if end > self._limit:
            raise LimitExceeded(too_large(self._limit))
        while end > self._granted:
            self.share.grow(GRANT_BYTES)
            self._granted += GRANT_BYTES
        write_at(self._file.fileno(), piece, self.size)
        self.size = end

    def finish(self, name: str) -> Made:
        """What becomes of the file, which is called ``name``; raises what making it raises."""
        self._file.close()
        return self._make(self, name)

    def discard(self) -> None:
        """Leave nothing of it; what is written afterwards goes nowhere."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.share.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._file.close()
        if error is not None:
            self.discard()
