"""Files that hold what was computed for a stack: unnamed, so nothing can outlive the process or be found by path.

They are read and written by position (``pread``/``pwrite``), which is safe from many threads and, unlike a
memory map, keeps their pages out of the process's resident memory.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from core.base.disk import write_at


class RowFile:
    """A sparse file of arrays of one shape and dtype, by row number; rows never written take no disk space."""

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> None:
        self._shape = shape
        self._dtype = np.dtype(dtype)
        self._row_bytes = row_bytes(shape, dtype)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with the object
        self._written: set[int] = set()  # a row left out before the last one would read as zeros

    def __contains__(self, row: int) -> bool:
        return row in self._written

    def write(self, row: int, array: NDArray[Any]) -> None:
        """Store ``array`` (the file's shape and dtype) as row ``row``.

        Raises:
            DiskFull: no space left.
        """
        if array.dtype != self._dtype or array.shape != self._shape:
            raise ValueError(f"expected {self._dtype} {self._shape}, got {array.dtype} {array.shape}")
        write_at(self._file.fileno(), np.ascontiguousarray(array).data.cast("B"), row * self._row_bytes)
        self._written.add(row)

    def read_into(self, row: int, out: NDArray[Any]) -> None:
        """Fill ``out`` (C-contiguous, the file's shape and dtype) with row ``row``.

        Raises:
            ValueError: the row was never written.
        """
        if row not in self._written:
            raise ValueError(f"row {row} was never written")
        os.preadv(self._file.fileno(), [out.data], row * self._row_bytes)


def row_bytes(shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> int:
    """What one row of a ``RowFile`` takes on disk."""
    return int(np.prod(shape)) * np.dtype(dtype).itemsize


class BlobFile:
    """Byte strings of any length, each stored once under a number."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with the object
        self._spans: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()

    def write(self, number: int, data: bytes) -> None:
        """Store ``data`` under ``number``.

        Raises:
            DiskFull: no space left.
        """
        with self._lock:
            start, self._end = self._end, self._end + len(data)
        write_at(self._file.fileno(), data, start)
        self._spans[number] = (start, len(data))

    def read(self, number: int) -> bytes:
        """The bytes stored under ``number``; ``KeyError`` where there are none."""
        start, length = self._spans[number]
        return os.pread(self._file.fileno(), length, start)
