"""Compressed files of a source of which parts are asked for: unpacked once, into unnamed files beside the source.

A compressed file has to be unpacked from its beginning for each part of it, and a file of 2,000 pages has thousands.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Hashable
from pathlib import Path
from typing import IO

from core.base.disk import check_free, disk_errors, write_at
from core.images.formats.format import FileReader


class Unpacked:
    """Those of one source. Safe to use from any thread; the files go with the object.

    ``bytes`` is how many they take on disk; ``least_free`` how many must stay free there.
    """

    def __init__(self, folder: Path, least_free: int) -> None:
        self._folder = folder
        self._least_free = least_free
        self._files: dict[Hashable, IO[bytes]] = {}
        self._lock = threading.Lock()
        self.bytes = 0

    def read(self, packed: FileReader, start: int, count: int) -> bytes:
        """``count`` bytes of a file from ``start`` on, fewer where it ends before.

        Raises:
            ImageError: it is damaged where it is kept.
            DiskFull: there is no room for it.
        """
        with self._lock:
            if packed.key not in self._files:
                self._files[packed.key] = self._unpack(packed)
                self.bytes += packed.size
            file = self._files[packed.key]
        return os.pread(file.fileno(), count, start)

    def _unpack(self, packed: FileReader) -> IO[bytes]:
        check_free(self._folder, packed.size, self._least_free)
        with disk_errors():
            file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 - open for as long as this object
            position = 0
            for piece in packed.pieces():
                write_at(file.fileno(), piece, position)
                position += len(piece)
        return file
