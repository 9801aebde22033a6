"""A part of a file that is kept open, as a file of its own."""

from __future__ import annotations

import io
import os
from collections.abc import Hashable, Iterator

from core.base.errors import ImageError
from core.images.formats.format import PIECE_BYTES

_CUT_OFF = "The file it is in has been cut off since the stack was opened; open it again."


class Span:
    """``size`` bytes from ``start`` on, read by position (``pread``), so that threads share the file without a lock.

    ``whole`` tells the file from all others, for ``key``.
    """

    __slots__ = ("_file", "_start", "key", "size")

    def __init__(self, file: io.FileIO, whole: object, start: int, size: int) -> None:
        self._file = file
        self.key: Hashable = (whole, start, size)
        self._start = start
        self.size = size

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        """See ``FileReader.read``; nothing else knows a checksum of these bytes."""
        wanted = max(self.size - start, 0) if count is None else min(count, max(self.size - start, 0))
        data = os.pread(self._file.fileno(), wanted, self._start + start)
        if len(data) < wanted:
            raise ImageError(_CUT_OFF)
        return data

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        """See ``FileReader.pieces``."""
        for position in range(start, self.size, PIECE_BYTES):
            yield self.read(position, PIECE_BYTES)
