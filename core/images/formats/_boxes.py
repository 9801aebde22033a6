"""Files made of boxes (ISO/IEC 14496-12, and JPEG 2000's): each with its length and what it is."""

from __future__ import annotations

import struct
from collections.abc import Iterator

MOST_BOXES = 10_000


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the contents of each box; the last one may be cut short. What makes no sense ends it."""
    end = len(data) if end is None else end
    for _ in range(MOST_BOXES):
        if start + 8 > end:
            return
        length, kind = struct.unpack_from(">L4s", data, start)
        begin = start + 8
        if length == 1 and start + 16 <= end:
            (length,) = struct.unpack_from(">Q", data, begin)
            begin += 8
        elif length == 0:
            length = end - start
        if length < begin - start:
            return
        yield kind, begin, min(start + length, end)
        start += length
