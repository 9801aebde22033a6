"""``NAME.part``: a file on its way to its place, written by one thread of one process at a time.

The part is its own lock (``flock``), so nothing but the part itself can be left behind by a crash.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Self

from core.base.errors import Cancelled
from core.base.file_lock import try_lock

LOCK_POLL_SECONDS = 0.2


class PartFile:
    """The open part of a file; made by ``PartFile.sole_writer``."""

    def __init__(self, file: FileIO, path: Path, place: Path) -> None:
        self._file = file
        self._path = path
        self._place = place

    @classmethod
    @contextmanager
    def sole_writer(
        cls, place: Path, cancelled: threading.Event, on_wait: Callable[[int], None] = lambda size: None
    ) -> Iterator[Self]:
        """Open the part of the file at ``place``, first waiting for whoever else is writing it.

        What an earlier writer left is kept, to be continued; a part that is empty in the end is removed.

        Args:
            place: where the complete file goes.
            cancelled: ends the waiting.
            on_wait: called with the size of the part in bytes now and then while waiting.

        Raises:
            Cancelled: while waiting.
            OSError: the part cannot be made or written.
        """
        path = place.with_name(f"{place.name}.part")
        while True:
            with path.open("ab", buffering=0) as file:
                part = cls(file, path, place)
                while not try_lock(file):
                    on_wait(part.size)
                    if cancelled.wait(LOCK_POLL_SECONDS):
                        raise Cancelled("Cancelled. The same file is still on its way for another session.")
                if not part._exists:  # its former writer has moved it into place or given it up
                    continue
                try:
                    yield part
                finally:
                    if part._exists and not part.size:
                        part.discard()
                return

    @property
    def size(self) -> int:
        """Bytes in it."""
        return os.fstat(self._file.fileno()).st_size

    def append(self, data: bytes) -> None:
        """Add ``data`` at the end."""
        rest = memoryview(data)
        while rest:  # an unbuffered write may take only a part of it
            rest = rest[self._file.write(rest) :]

    def clear(self) -> None:
        """Begin again."""
        self._file.truncate(0)

    def discard(self) -> None:
        """Remove it."""
        self._path.unlink(missing_ok=True)

    def has_checksum(self, sha256_prefix: str) -> bool:
        """As the function ``has_checksum``."""
        return has_checksum(self._path, sha256_prefix)

    def move_into_place(self) -> None:
        """Replace the file at its place, in one step, once all of it is on the disk."""
        os.fsync(self._file.fileno())
        self._path.replace(self._place)

    @property
    def _exists(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False


def has_checksum(path: Path, sha256_prefix: str) -> bool:
    """Whether there is a readable file whose SHA-256 begins with these hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest().startswith(sha256_prefix)
    except OSError:
        return False
