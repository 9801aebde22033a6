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
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np

from core.base.checksum import crc32
from core.base.errors import ImageError
from core.images.formats.format import ColorKind, FileReader, ImageHeader, Pixels, check_size

_Bytes = bytes | bytearray | memoryview

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_BYTES = 33  # signature, then the IHDR chunk: length, type, 13 bytes, CRC

_DAMAGED = "The PNG is damaged; copy or export it again."
_TRUNCATED = "The PNG ends too early; copy or export it again."

# libpng warns about every interlaced image, to no purpose.
logging.getLogger("imagecodecs").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class _ColorType:
    name: ColorKind
    samples: int  # per pixel, as stored
    bit_depths: tuple[int, ...]


# PNG specification, table 11.1.
_GREY, _RGB, _PALETTE = 0, 2, 3
_COLOR_TYPES = {
    _GREY: _ColorType("grey", 1, (1, 2, 4, 8, 16)),
    _RGB: _ColorType("RGB", 3, (8, 16)),
    _PALETTE: _ColorType("palette", 1, (1, 2, 4, 8)),
    4: _ColorType("grey + alpha", 2, (8, 16)),
    6: _ColorType("RGBA", 4, (8, 16)),
}
# PNG specification, 8.2: first column, first row, column step and row step of an interlaced image's passes.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
# The chunks that pixels need, in the only order that PNG specification, 5.6, allows.
_ORDER = (b"PLTE", b"tRNS", b"IDAT", b"IEND")
MAX_CHUNKS = 100_000  # 22 million empty ones fit into 256 MiB and take 16 s; as libpng writes images, 33,000 do
_MAX_DEFLATE_RATIO = 1032  # RFC 1951: 258 bytes from a length and a distance of at least one bit each
_LAST_FILTER = 4  # PNG specification, 9.2: every row starts with its filter, 0 (none) to 4 (Paeth)


@dataclass(frozen=True, slots=True)
class PngHeader(ImageHeader):
    """The IHDR chunk, with what only PNG has: the colour type (0, 2, 3, 4 or 6), and interlacing."""

    color_type: int = _RGB
    interlaced: bool = False


def read_header(data: bytes) -> PngHeader:
    """Read the header from the first ``HEADER_BYTES`` of a PNG; more bytes are ignored.

    Raises:
        ImageError: not a PNG, or a header that the PNG specification does not allow.
    """
    if not data.startswith(SIGNATURE):
        raise ImageError("The file is not a PNG image; export it as PNG.")
    if len(data) < HEADER_BYTES:
        raise ImageError(_TRUNCATED)
    length, kind, width, height, bit_depth, color_type, compression, filters, interlace, crc = struct.unpack_from(
        ">I4s2I5BI", data, len(SIGNATURE)
    )
    legal = (
        (length, kind) == (13, b"IHDR")
        and crc == crc32(data[12:29])
        and 0 < width < 2**31
        and 0 < height < 2**31
        and color_type in _COLOR_TYPES
        and bit_depth in _COLOR_TYPES[color_type].bit_depths
        and compression == filters == 0
        and interlace in (0, 1)
    )
    if not legal:
        raise ImageError(_DAMAGED)
    return PngHeader(
        width, height, bit_depth, _COLOR_TYPES[color_type].name, color_type=color_type, interlaced=interlace == 1
    )


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
        raise ImageError(_DAMAGED) from error
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
    """PNG as one of the formats; an animation is its first frame."""

    name = "PNG"
    extensions = (".png",)
    media_type = "image/png"
    head_bytes = HEADER_BYTES

    def matches(self, head: bytes) -> bool:
        """See ``ImageFormat.matches``."""
        return head.startswith(SIGNATURE)

    def read_headers(self, file: FileReader) -> tuple[PngHeader]:
        """See ``ImageFormat.read_headers``."""
        return (read_header(file.read(0, HEADER_BYTES)),)

    def decode(
        self,
        file: FileReader,
        frame: int = 0,
        *,
        max_pixels: int,
        at_least: tuple[int, int] | None = None,
    ) -> Pixels:
        """See ``ImageFormat.decode``; always the full size."""
        return decode(file.read(), max_pixels=max_pixels)

    def browsers_show(self, header: ImageHeader) -> bool:
        """See ``ImageFormat.browsers_show``; of 16 bits browsers show the upper 8."""
        return header.bit_depth < 16

    def for_browser(self, file: FileReader, frame: int = 0) -> bytes:
        """See ``ImageFormat.for_browser``."""
        return strip(file.read())


FORMAT = Png()


def _rebuild(data: bytes, header: PngHeader) -> bytes:
    """The image as a PNG of checked parts only, with its rows uncompressed."""
    chunks = _read_chunks(data)
    # The rows have no name of their own here, so that at most two copies of a huge image exist at once.
    return _assemble(data[:HEADER_BYTES], header, chunks, _store(_inflate(chunks[b"IDAT"], header)))


def _assemble(start: bytes, header: PngHeader, chunks: dict[bytes, bytearray], image_data: _Bytes) -> bytes:
    """A PNG of header, palette, transparency and image data, each in one chunk."""
    palette, transparency = chunks[b"PLTE"], chunks[b"tRNS"]
    parts: list[_Bytes] = [start]
    if header.color_type == _PALETTE:
        if len(palette) % 3 or not 3 <= len(palette) <= 3 * 2**header.bit_depth:
            raise ImageError(_DAMAGED)
        parts += _chunk(b"PLTE", palette)
    if transparency and header.color_type in (_GREY, _RGB, _PALETTE):
        expected = {_GREY: (2,), _RGB: (6,), _PALETTE: range(1, len(palette) // 3 + 1)}[header.color_type]
        if len(transparency) not in expected:
            raise ImageError(_DAMAGED)
        parts += _chunk(b"tRNS", transparency)
    parts += _chunk(b"IDAT", image_data)
    parts += _chunk(b"IEND", b"")
    return b"".join(parts)


def _read_chunks(data: bytes) -> dict[bytes, bytearray]:
    """The contents of the chunks that make up the image, those of its data joined.

    All others are passed over unread: a few kilobytes of compressed text can unfold to gigabytes.
    """
    view = memoryview(data)
    chunks = {kind: bytearray() for kind in _ORDER}
    position, latest, previous = HEADER_BYTES, -1, b""
    for _ in range(MAX_CHUNKS):
        if position + 12 > len(data):
            raise ImageError(_TRUNCATED)
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise ImageError(_TRUNCATED)
        if kind in chunks:
            place = _ORDER.index(kind)
            goes_on = kind == previous == b"IDAT"
            if place < latest or (place == latest and not goes_on) or (kind == b"tRNS" and not length):
                raise ImageError(_DAMAGED)  # programs do not agree on what such a file shows
            latest = place
            (crc,) = struct.unpack_from(">I", data, end - 4)
            if crc != crc32(view[position + 4 : end - 4]):
                raise ImageError(_DAMAGED)
            chunks[kind] += view[position + 8 : end - 4]
        elif kind[:1].isupper():  # a critical chunk, without which the image cannot be understood
            raise ImageError(_DAMAGED)
        if kind == b"IEND":
            return chunks
        position, previous = end, kind
    raise ImageError(f"The PNG has more than {MAX_CHUNKS:,} parts; export it again.")


def _chunk(kind: bytes, content: _Bytes) -> tuple[_Bytes, ...]:
    """The parts of a PNG chunk: length, type, content, checksum of the last two."""
    checksum = crc32(content, crc32(kind))
    return struct.pack(">I", len(content)), kind, content, struct.pack(">I", checksum)


def _inflate(packed: bytearray, header: PngHeader) -> bytes:
    """The rows of the image, each led by a legal filter byte, decompressed but still filtered."""
    passes = list(_passes(header))
    size = sum(count * row_bytes for count, row_bytes in passes)
    if size > _MAX_DEFLATE_RATIO * len(packed):
        raise ImageError(_DAMAGED)  # before memory is set aside for what cannot come
    rows = bytes(imagecodecs.deflate_decode(packed, out=size))  # raises where there is more than size
    if len(rows) < size:
        raise ImageError(_DAMAGED)
    values = np.frombuffer(rows, np.uint8)
    start = 0
    for count, row_bytes in passes:
        end = start + count * row_bytes
        if values[start:end:row_bytes].max() > _LAST_FILTER:
            raise ImageError(_DAMAGED)
        start = end
    return rows


def _store(rows: bytes) -> memoryview:
    """A zlib stream of ``rows`` as they are; into a buffer of known size, or they would be copied once more."""
    longest = len(rows) + len(rows) // 1024 + 64  # RFC 1951, 3.2.4: 5 bytes for each block of up to 65,535
    return memoryview(imagecodecs.deflate_encode(rows, level=0, out=bytearray(longest)))


def _passes(header: PngHeader) -> Iterator[tuple[int, int]]:
    """The number of rows and the bytes per row, filter byte included, of each pass that has pixels."""
    bits = header.bit_depth * _COLOR_TYPES[header.color_type].samples
    for column, row, column_step, row_step in _ADAM7 if header.interlaced else ((0, 0, 1, 1),):
        width = len(range(column, header.width, column_step))
        height = len(range(row, header.height, row_step))
        if width and height:
            yield height, 1 + (width * bits + 7) // 8
