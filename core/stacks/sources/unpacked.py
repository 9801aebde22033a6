"""Compressed files of a source of which parts are asked for: unpacked once, into unnamed files beside the source.

A compressed file has to be unpacked from its beginning for each part of it, and a file of 2,000 pages has thousands.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Hashable

from core.images.formats.format import FileReader
from core.stacks.sources.source import Scratch


class Unpacked:
    """Those of one source. Safe to use from any thread; the files go with the object."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._files: dict[Hashable, io.FileIO] = {}
        self._lock = threading.Lock()

    def read(self, packed: FileReader, start: int, count: int) -> bytes:
        """``count`` bytes of a file from ``start`` on, fewer where it ends before.

        Raises:
            ImageError: it is damaged where it is kept.
            TooManyStacks, QuotaExceeded, DiskFull: there is no room for it.
        """
        with self._lock:
            if packed.key not in self._files:
                self._files[packed.key] = self._scratch.keep(packed.pieces())
            file = self._files[packed.key]
        return os.pread(file.fileno(), count, start)
