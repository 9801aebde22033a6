"""The PNG format: read a header, decode a whole image.

Decoding has two steps. Here the file is taken apart and every part checked: chunks, checksums, and the
image data, which libdeflate inflates into exactly the bytes that the header calls for. libpng then decodes
a PNG rebuilt from those parts, in which nothing is wrong. (Both come with imagecodecs.) Broken files must
not reach libpng there: the error path leaks the image and, on Python 3.11, spoils the reference count of
``None``, so that a few thousand broken files end the process (seen with imagecodecs 2026.3.6).

Why libpng: of the decoders at hand it alone gets every PNG kind right, and it releases the interpreter
lock, so threads decode side by side. Milliseconds per 500x375 photo on one thread, and what speaks against
the others: these two steps 2.4, libpng alone 2.9, libspng 2.8 (no 16-bit grey or RGB, no grey + alpha,
last checksum unread), pyspng 2.7 (holds the lock), OpenCV 3.4, Pillow 3.9 (cuts 16-bit colour to 8 bits).

Large images are decoded in strips, by the same library; see ``_png_stream.py``.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import imagecodecs
import numpy as np

from core.base.checksum import crc32
from core.base.errors import ImageError
from core.images.formats import _apng, _png_stream
from core.images.formats._animation import check_animation
from core.images.formats._png_parts import (
    DAMAGED,
    HEADER_BYTES,
    LAST_FILTER,
    MAX_CHUNKS,
    MAX_DEFLATE_RATIO,
    NEEDED,
    SIGNATURE,
    TOO_MANY_CHUNKS,
    TRUNCATED,
    Bytes,
    ChunkOrder,
    PngHeader,
    chunk,
    extras,
    passes,
    read_header,
    row_bytes,
    samples,
    store,
)
from core.images.formats.format import FileReader, ImageHeader, Pixels, check_size, in_strips

__all__ = ["FORMAT", "HEADER_BYTES", "MAX_CHUNKS", "SIGNATURE", "Png", "PngHeader", "decode", "read_header", "strip"]

# libpng warns about every interlaced image, to no purpose.
logging.getLogger("imagecodecs").setLevel(logging.ERROR)


def decode(data: bytes, *, max_pixels: int) -> Pixels:
    """Decode a PNG to ``[H, W, C]``: C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA).

    16-bit images are uint16, all others uint8: fewer bits are scaled to 0..255, a palette becomes RGB, and
    every kind of transparency an alpha channel.

    Raises:
        ImageTooLarge: see ``check_size``.
        ImageError: not a PNG, damaged, or cut short.
    """
    header = read_header(data)
    check_size(header, max_pixels)
    try:
        pixels: Pixels = imagecodecs.png_decode(_rebuild(data, header))
    except RuntimeError as error:  # the base of the errors of imagecodecs
        raise ImageError(DAMAGED) from error
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def strip(data: bytes) -> bytes:
    """The same image with only what its pixels need: no animation, colour profile, gamma, rotation or text.

    Any other program, such as a browser, then shows exactly what ``decode`` returns. Nothing is compressed anew.

    Raises:
        ImageError: not a PNG, or damaged outside the compressed image data, which is not looked into.
    """
    header = read_header(data)
    chunks = _read_chunks(data)
    return _assemble(data[:HEADER_BYTES], header, chunks, chunks[b"IDAT"])


class Png:
    """PNG as one of the formats; an animation gives its frames as they are shown."""

    name = "PNG"
    extensions = (".png", ".apng")
    media_type = "image/png"
    head_bytes = HEADER_BYTES
    reads_parts = False
    names_people = False

    def matches(self, head: bytes) -> bool:
        """See ``ImageFormat.matches``."""
        return head.startswith(SIGNATURE)

    def read_headers(self, file: FileReader) -> Iterator[PngHeader]:
        """See ``ImageFormat.read_headers``."""
        head = file.read(0, _apng.HEAD_BYTES[0])
        header = read_header(head)
        frames = _apng.count_frames(file) if _apng.is_animated(file, head) else 0
        if not frames:
            yield header
            return
        check_animation(header, frames)
        for number in range(1, frames + 1):
            yield replace(
                header,
                bit_depth=max(header.bit_depth, 8),
                color="RGBA",
                animated=True,
                label=f"frame {number}" if frames > 1 else "",
            )

    def decode(
        self,
        file: FileReader,
        frame: int = 0,
        *,
        max_pixels: int,
        at_least: tuple[int, int] | None = None,
    ) -> Pixels:
        """See ``ImageFormat.decode``; always the full size."""
        data = file.read()
        if _apng.is_animated(file, data[: _apng.HEAD_BYTES[0]]) and _apng.count_frames(file):
            check_size(read_header(data), max_pixels)
            return _apng.decode_frame(file, frame, partial(decode, max_pixels=max_pixels))
        return decode(data, max_pixels=max_pixels)

    def browsers_show(self, header: ImageHeader) -> bool:
        """See ``FormatForBrowsers.browsers_show``; of 16 bits browsers show the upper 8, and animations would move."""
        return header.bit_depth < 16 and not (isinstance(header, PngHeader) and header.animated)

    def for_browser(self, file: FileReader, frame: int = 0) -> bytes:
        """See ``FormatForBrowsers.for_browser``."""
        return strip(file.read())

    def decode_strips(
        self, file: FileReader, frame: int = 0, *, max_pixels: int, strip_pixels: int
    ) -> Iterator[Pixels]:
        """See ``FormatInStrips.decode_strips``."""
        header = read_header(file.read(0, HEADER_BYTES))
        check_size(header, max_pixels)
        try:
            if header.interlaced:
                yield from in_strips(_png_stream.decode_interlaced(file, header, strip_pixels), strip_pixels)
            else:
                yield from _png_stream.decode_strips(file, header, strip_pixels)
        except RuntimeError as error:
            raise ImageError(DAMAGED) from error

    def strip_bytes(self, header: ImageHeader) -> int:
        """See ``FormatInStrips.strip_bytes``; an interlaced image is held whole."""
        assert isinstance(header, PngHeader)  # noqa: S101 - read_headers gives no other
        if not header.interlaced:
            return 0
        channels = 4 if header.color == "palette" else samples(header) + (header.color in ("grey", "RGB"))
        return header.pixels * channels * (2 if header.bit_depth == 16 else 1)

    def pieces_for_browser(self, file: FileReader, frame: int = 0) -> Iterator[bytes]:
        """See ``FormatInStrips.pieces_for_browser``."""
        return _png_stream.without_extras(file)


FORMAT = Png()


def _rebuild(data: bytes, header: PngHeader) -> bytes:
    """The image as a PNG of checked parts only, with its rows uncompressed."""
    chunks = _read_chunks(data)
    # The rows have no name of their own here, so that at most two copies of a huge image exist at once.
    return _assemble(data[:HEADER_BYTES], header, chunks, store(_inflate(chunks[b"IDAT"], header)))


def _assemble(start: bytes, header: PngHeader, chunks: dict[bytes, bytearray], image_data: Bytes) -> bytes:
    """A PNG of header, palette, transparency and image data, each in one chunk."""
    needed = extras(header, chunks[b"PLTE"], chunks[b"tRNS"])
    return b"".join((start, *needed, *chunk(b"IDAT", image_data), *chunk(b"IEND", b"")))


def _read_chunks(data: bytes) -> dict[bytes, bytearray]:
    """The contents of the chunks that make up the image, those of its data joined.

    All others are passed over unread: a few kilobytes of compressed text can unfold to gigabytes.
    """
    view = memoryview(data)
    chunks = {kind: bytearray() for kind in NEEDED}
    position, order = HEADER_BYTES, ChunkOrder()
    for _ in range(MAX_CHUNKS):
        if position + 12 > len(data):
            raise ImageError(TRUNCATED)
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise ImageError(TRUNCATED)
        order.check(kind, length)
        if kind in chunks:
            (crc,) = struct.unpack_from(">I", data, end - 4)
            if crc != crc32(view[position + 4 : end - 4]):
                raise ImageError(DAMAGED)
            chunks[kind] += view[position + 8 : end - 4]
        elif kind[:1].isupper():  # a critical chunk, without which the image cannot be understood
            raise ImageError(DAMAGED)
        if kind == b"IEND":
            return chunks
        position = end
    raise ImageError(TOO_MANY_CHUNKS)


def _inflate(packed: bytearray, header: PngHeader) -> bytes:
    """The rows of the image, each led by a legal filter byte, decompressed but still filtered."""
    rows = [(part.height, 1 + row_bytes(header, part.width)) for part in passes(header)]
    size = sum(count * length for count, length in rows)
    if size > MAX_DEFLATE_RATIO * len(packed):
        raise ImageError(DAMAGED)  # before memory is set aside for what cannot come
    filtered = bytes(imagecodecs.deflate_decode(packed, out=size))  # raises where there is more than size
    if len(filtered) < size:
        raise ImageError(DAMAGED)
    values = np.frombuffer(filtered, np.uint8)
    start = 0
    for count, length in rows:
        end = start + count * length
        if values[start:end:length].max() > LAST_FILTER:
            raise ImageError(DAMAGED)
        start = end
    return filtered
