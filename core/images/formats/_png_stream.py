"""A PNG of any size, decoded from top to bottom in a few megabytes: what ``png.py`` does at once, done in strips.

The image data is inflated as it is needed. libpng undoes the filters of a strip of rows, given as a small PNG that
begins with the row above (9.2 of the PNG specification: no filter looks further back). Samples of fewer than 8 bits,
palettes and transparent colours are then expanded by libpng too, from a second PNG of the same rows without filters.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from itertools import chain

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from core.base.checksum import crc32
from core.base.errors import ImageError
from core.images.formats import _png_parts as png
from core.images.formats.format import FileReader, Pixels

_Part = tuple[bytes, bytes]  # kind and contents of a chunk, or of a piece of the image data
_LONGEST_PALETTE = 3 * 256
# Bytes to a pixel, which is all that filters know of it, and a colour type and bit depth that has as many.
_SAME_FILTERS = {1: (0, 8), 2: (4, 8), 3: (2, 8), 4: (6, 8), 6: (2, 16), 8: (6, 16)}


def decode_strips(file: FileReader, header: png.PngHeader, strip_pixels: int) -> Iterator[Pixels]:
    """Decode an image that is not interlaced; strips ``[h, W, C]`` of about ``strip_pixels`` pixels.

    Raises:
        ImageError: damaged or cut short; after the last strip at the latest.
    """
    image = _Image(file, header)
    yield from image.rows(header.width, header.height, strip_pixels)
    image.end()


def decode_interlaced(file: FileReader, header: png.PngHeader, strip_pixels: int) -> Pixels:
    """Decode an interlaced image, whole: ``[H, W, C]``, which takes little more than the samples themselves.

    Raises:
        ImageError: as for ``decode_strips``.
    """
    image = _Image(file, header)
    whole: Pixels | None = None
    for part in png.passes(header):
        row = part.row
        for strip in image.rows(part.width, part.height, strip_pixels):
            if whole is None:
                whole = np.empty((header.height, header.width, strip.shape[2]), strip.dtype)
            end = row + len(strip) * part.row_step
            whole[row : end : part.row_step, part.column :: part.column_step] = strip
            row = end
    image.end()
    assert whole is not None  # noqa: S101 - every image has a pixel, which is in the first pass
    return whole


def without_extras(file: FileReader) -> Iterator[bytes]:
    """The file in pieces, with only what its pixels need; see ``png.strip``.

    Raises:
        ImageError: not a PNG, or damaged outside the compressed image data.
    """
    stream = _Stream(file.pieces())
    start = stream.take(png.HEADER_BYTES)
    header = png.read_header(start)
    yield start
    beside = {b"PLTE": b"", b"tRNS": b""}
    begun = False
    for kind, content in _parts(stream):
        if kind in beside:
            beside[kind] += content
            continue
        if not begun:
            yield b"".join(png.extras(header, beside[b"PLTE"], beside[b"tRNS"]))
            begun = True
        yield b"".join(png.chunk(kind, content))
    yield b"".join(png.chunk(b"IEND", b""))


class _Image:
    """The rows of an image, one after the other."""

    def __init__(self, file: FileReader, header: png.PngHeader) -> None:
        stream = _Stream(file.pieces())
        stream.take(png.HEADER_BYTES)
        self._header = header
        self._parts = _parts(stream)
        self._inflater = zlib.decompressobj()
        self._packed = b""
        beside = {b"PLTE": b"", b"tRNS": b""}
        for kind, content in self._parts:
            if kind == b"IDAT":
                self._packed = content
                break
            beside[kind] += content
        self._extras = png.extras(header, beside[b"PLTE"], beside[b"tRNS"])

    def rows(self, width: int, height: int, strip_pixels: int) -> Iterator[Pixels]:
        """The next ``height`` rows of ``width`` pixels, which belong together."""
        row_bytes = png.row_bytes(self._header, width)
        above = b""
        most = max(1, strip_pixels // width)
        for start in range(0, height, most):
            count = min(most, height - start)
            filtered = self._inflate(count * (1 + row_bytes))
            raw = self._unfilter(filtered, count, row_bytes, above)
            above = raw[-1].tobytes()
            yield self._expand(raw, width)

    def end(self) -> None:
        """Check that nothing is left."""
        rest = self._unpack(self._packed, 1)
        while not self._inflater.eof and not rest and (part := next(self._parts, None)):
            rest = self._unpack(part[1], 1)
        if rest or not self._inflater.eof:
            raise ImageError(png.DAMAGED)
        for _ in self._parts:  # their checksums, and the end of the file
            pass

    def _inflate(self, count: int) -> bytes:
        pieces: list[bytes] = []
        while count:
            piece = self._unpack(self._packed, count)
            self._packed = self._inflater.unconsumed_tail
            pieces.append(piece)
            count -= len(piece)
            if count and not self._packed and not piece:
                part = None if self._inflater.eof else next(self._parts, None)
                if part is None:
                    raise ImageError(png.DAMAGED)
                self._packed = part[1]
        return b"".join(pieces)

    def _unpack(self, packed: bytes, most: int) -> bytes:
        try:
            return self._inflater.decompress(packed, most)
        except zlib.error as error:
            raise ImageError(png.DAMAGED) from error

    def _unfilter(self, filtered: bytes, count: int, row_bytes: int, above: bytes) -> NDArray[np.uint8]:
        """Rows ``[count, row_bytes]`` as they were before they were filtered."""
        if np.frombuffer(filtered, np.uint8)[:: 1 + row_bytes].max() > png.LAST_FILTER:
            raise ImageError(png.DAMAGED)
        pixel_bytes = png.row_bytes(self._header, 1)
        color_type, depth = _SAME_FILTERS[pixel_bytes]
        if above:
            filtered = b"".join((b"\0", above, filtered))
            count += 1
        rows = _decode(row_bytes // pixel_bytes, count, depth, color_type, filtered)
        big_endian = rows.astype(rows.dtype.newbyteorder(">"), copy=False).view(np.uint8)
        return big_endian.reshape(count, row_bytes)[1 if above else 0 :]

    def _expand(self, raw: NDArray[np.uint8], width: int) -> Pixels:
        """Samples ``[h, W, C]`` of unfiltered rows."""
        header = self._header
        if self._extras or header.bit_depth < 8:
            unfiltered = np.concatenate([np.zeros((len(raw), 1), np.uint8), raw], axis=1).tobytes()
            samples = _decode(width, len(raw), header.bit_depth, header.color_type, unfiltered, self._extras)
            return samples[..., np.newaxis] if samples.ndim == 2 else samples
        channels = png.samples(header)
        if header.bit_depth == 16:
            return raw.view(">u2").astype(np.uint16).reshape(len(raw), width, channels)
        return raw.reshape(len(raw), width, channels)


class _Stream:
    """Bytes that come in pieces, taken in other ones."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")

    def some(self, most: int) -> memoryview:
        """At least one byte and at most so many."""
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                raise ImageError(png.TRUNCATED)
            self._piece = memoryview(piece)
        taken, self._piece = self._piece[:most], self._piece[most:]
        return taken

    def take(self, count: int) -> bytes:
        """Exactly so many; few."""
        taken = b""
        while len(taken) < count:
            taken += self.some(count - len(taken))
        return taken

    def pieces(self, count: int) -> Iterator[memoryview]:
        """Exactly so many, as they come."""
        while count:
            piece = self.some(count)
            count -= len(piece)
            yield piece


def _parts(stream: _Stream) -> Iterator[_Part]:
    """Palette, transparency and image data behind a header, as ``png.read_chunks`` takes them, in order.

    The image data is given before its checksum is reached, which raises where it is wrong.
    """
    order = png.ChunkOrder()
    for _ in range(png.MAX_CHUNKS):
        length, kind = struct.unpack(">I4s", stream.take(8))
        order.check(kind, length)
        if kind == b"IDAT":
            checksum = crc32(kind)
            for piece in stream.pieces(length):
                checksum = crc32(piece, checksum)
                yield kind, bytes(piece)
            _check(checksum, stream)
        elif kind in (b"PLTE", b"tRNS"):
            if length > _LONGEST_PALETTE:
                raise ImageError(png.DAMAGED)
            content = stream.take(length)
            _check(crc32(content, crc32(kind)), stream)
            yield kind, content
        elif kind == b"IEND":
            checksum = crc32(kind)
            for piece in stream.pieces(length):
                checksum = crc32(piece, checksum)
            _check(checksum, stream)
            return
        elif kind[:1].isupper():
            raise ImageError(png.DAMAGED)
        else:
            for _ in stream.pieces(length + 4):
                pass
    raise ImageError(png.TOO_MANY_CHUNKS)


def _check(checksum: int, stream: _Stream) -> None:
    if struct.pack(">I", checksum) != stream.take(4):
        raise ImageError(png.DAMAGED)


def _decode(
    width: int, height: int, bit_depth: int, color_type: int, rows: bytes, beside: tuple[png.Bytes, ...] = ()
) -> Pixels:
    """Let libpng decode rows with their filters: ``[H, W]`` or ``[H, W, C]``."""
    header = struct.pack(">2I5B", width, height, bit_depth, color_type, 0, 0, 0)
    parts = chain(
        (png.SIGNATURE, *png.chunk(b"IHDR", header)),
        beside,
        png.chunk(b"IDAT", png.store(rows)),
        png.chunk(b"IEND", b""),
    )
    samples: Pixels = imagecodecs.png_decode(b"".join(parts))
    return samples
