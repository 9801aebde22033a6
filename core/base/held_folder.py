"""A folder of this machine that is held open: whatever is put in the place of its files, none outside it is read."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HeldFolder:
    """A folder that is held open, until nobody needs it any more."""

    def __init__(self, path: Path) -> None:
        """Open it; the path itself may be a link, by which a person may name it.

        Raises:
            OSError: it is no folder, or may not be read.
        """
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.key = object()  # tells it from all others, and keeps nothing open
        self.close = weakref.finalize(self, os.close, self._descriptor)

    @contextmanager
    def opened(self, path: str, flags: int = 0) -> Iterator[int]:
        """A descriptor of what is at ``path`` below the folder; no part of it may be a link, or lead out.

        Raises:
            OSError: it is not there, a link, or may not be read.
            ValueError: the folder is closed.
        """
        if not self.close.alive:
            raise ValueError("the folder is closed")
        *folders, last = path.split("/") if path else ["."]
        if ".." in (*folders, last):
            raise OSError(errno.ELOOP, "leads out of the folder")
        descriptor = self._descriptor
        try:
            for part in folders:
                descriptor = self._step(descriptor, part, os.O_DIRECTORY)
            # A pipe that lies there now must not keep us waiting for somebody to write to it.
            descriptor = self._step(descriptor, last, flags | os.O_NONBLOCK)
            yield descriptor
        finally:
            if descriptor != self._descriptor:
                os.close(descriptor)

    def _step(self, folder: int, part: str, flags: int) -> int:
        """What is called ``part`` in ``folder``, which is let go of unless that fails."""
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | flags, dir_fd=folder)
        if folder != self._descriptor:
            os.close(folder)
        return descriptor
