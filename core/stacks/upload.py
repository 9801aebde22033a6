"""A file that arrives piece by piece, most often a ZIP on its way to become a stack."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from core.base.disk import disk_errors, write_at
from core.base.errors import LimitExceeded
from core.base.settings import MIB
from core.stacks.quota import Share

ONLY_ZIP = "Only .zip files are allowed"
GRANT_BYTES = MIB  # quota and free space are looked at once for so much
Made = TypeVar("Made")  # what becomes of it


def too_large(limit: int) -> str:
    """The sentence about a file of more than ``limit`` bytes."""
    return f"The file is larger than the {limit // MIB:,} MB this server accepts."


class Upload(Generic[Made]):
    """Takes bytes as they come. Unless ``finish`` succeeds, nothing of it is left once the ``with`` block ends.

    To be used by one thread at a time. ``size`` is the number of bytes written so far, ``path`` where they are.
    """

    def __init__(
        self, folder: Path, share: Share, limit: int, make: Callable[[Upload[Made], str], Made], filename: str = "file"
    ) -> None:
        self._limit = limit
        self._make = make
        self._granted = 0
        self.folder = folder
        self.share = share
        self.size = 0
        self.path = folder / filename
        with disk_errors():
            folder.mkdir(mode=0o700, parents=True)
            self._file = self.path.open("xb", buffering=0)

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._file.close()
        if error is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.share.release()
