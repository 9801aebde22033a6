"""The CRC-32 of ZIP and PNG."""

from __future__ import annotations

import imagecodecs


def crc32(data: bytes | bytearray | memoryview, value: int = 0) -> int:
    """The checksum of ``data``, begun with ``value``; by libdeflate, eight times faster than zlib's."""
    return int(imagecodecs.deflate_crc32(data, value))  # type: ignore[arg-type]  # it takes any buffer
