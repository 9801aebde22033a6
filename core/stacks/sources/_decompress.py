"""Compressed streams, piece by piece: gzip, bzip2, xz and zstd."""

from __future__ import annotations

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from core.base.errors import ArchiveError, ArchiveTruncated
from core.base.giving_way import giving_way
from core.base.settings import MIB

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKED_BYTES = 256 * 1024  # that are read at once
UNPACKED_BYTES = MIB  # that are made of them at once
XZ_MEMORY_BYTES = 80 * MIB  # what its strongest level (-9) takes is 65 MiB
ZSTD_WINDOW_LOG = 26  # 64 MiB; what its strongest usual level (-19) takes is 8 MiB
MOST_STREAMS = 200_000  # one behind the other; programs that compress in parallel make one for every 64 kB or more
_LONGEST_MAGIC = 6

_DAMAGED = "The compressed archive is damaged; make it again, in the usual way."
_TRUNCATED = "The archive ends too early, as after an interrupted download; copy or download it again."


class _Decompressor(Protocol):
    """One stream, as Python's own modules for bzip2, xz and zstd have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """The same for gzip. Python's ``GzipFile`` reads a name of a gigabyte in a header byte by byte."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        made = self._stream.decompress(self._stream.unconsumed_tail + data, max(max_length, 0))
        self.needs_input = not self._stream.unconsumed_tail and len(made) < max_length
        return made


@dataclass(frozen=True, slots=True)
class Compression:
    """One of them: how its streams begin, and what reads one and how that fails."""

    magic: bytes
    new: Callable[[], _Decompressor]
    failure: type[Exception]

    def pieces(self, read: Callable[[int], bytes], most_streams: int = MOST_STREAMS) -> Iterator[bytes]:
        """What all streams one behind the other hold, up to ``UNPACKED_BYTES`` at a time.

        What stands behind them is passed over, as by other programs. ``read`` gives the next bytes of the file, no more
        than it is asked for.

        Raises:
            ArchiveTruncated: a stream has no end.
            ArchiveError: the data is damaged, or takes too much memory to unpack.
        """
        data = read(PACKED_BYTES)
        for _ in giving_way(range(most_streams)):
            stream = self.new()
            while not stream.eof:
                if stream.needs_input and not data and not (data := read(PACKED_BYTES)):
                    raise ArchiveTruncated(_TRUNCATED)
                try:
                    piece = stream.decompress(data, UNPACKED_BYTES)
                except self.failure as error:
                    raise ArchiveError(_DAMAGED) from error
                data = b""
                if piece:
                    yield piece
            data = _without_padding(stream.unused_data, read)
            if not data.startswith(self.magic):
                return
        raise ArchiveError(_DAMAGED)


def _without_padding(data: bytes, read: Callable[[int], bytes]) -> bytes:
    """What comes behind the zeros between two streams, enough of it to tell another one."""
    data = data.lstrip(b"\0")
    while len(data) < _LONGEST_MAGIC and (more := read(PACKED_BYTES)):
        data = (data + more).lstrip(b"\0")
    return data


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY_BYTES)


def _zstd() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG})


COMPRESSIONS = (
    Compression(b"\x1f\x8b", _Gzip, zlib.error),
    Compression(b"BZh", bz2.BZ2Decompressor, OSError),
    Compression(b"\xfd7zXZ\0", _xz, lzma.LZMAError),
    Compression(b"\x28\xb5\x2f\xfd", _zstd, zstd.ZstdError),
)


def compression_of(head: bytes) -> Compression | None:
    """How a file that begins with ``head`` is compressed; None where it is not."""
    return next((one for one in COMPRESSIONS if head.startswith(one.magic)), None)
