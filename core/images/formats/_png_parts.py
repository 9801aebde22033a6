"""What a PNG is made of: header, chunks, passes, by the specification's third edition."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs

from core.base.checksum import crc32
from core.base.errors import ImageError
from core.images.formats.format import ColorKind, ImageHeader

Bytes = bytes | bytearray | memoryview

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER_BYTES = 33  # signature, then the IHDR chunk: length, type, 13 bytes, CRC

DAMAGED = "The PNG is damaged; copy or export it again."
TRUNCATED = "The PNG ends too early; copy or export it again."


@dataclass(frozen=True, slots=True)
class _ColorType:
    name: ColorKind
    samples: int  # per pixel, as stored
    bit_depths: tuple[int, ...]


# PNG specification, table 11.1.
GREY, RGB, PALETTE = 0, 2, 3
_COLOR_TYPES = {
    GREY: _ColorType("grey", 1, (1, 2, 4, 8, 16)),
    RGB: _ColorType("RGB", 3, (8, 16)),
    PALETTE: _ColorType("palette", 1, (1, 2, 4, 8)),
    4: _ColorType("grey + alpha", 2, (8, 16)),
    6: _ColorType("RGBA", 4, (8, 16)),
}
# PNG specification, 8.2: first column, first row, column step and row step of an interlaced image's passes.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
NEEDED = (b"PLTE", b"tRNS", b"IDAT", b"IEND")  # chunks for pixels, in the only order that 5.6 allows
MAX_CHUNKS = 100_000  # 22 million empty ones fit into 256 MiB and take 16 s; as libpng writes images, 33,000 do
TOO_MANY_CHUNKS = f"The PNG has more than {MAX_CHUNKS:,} parts; export it again."
MAX_DEFLATE_RATIO = 1032  # RFC 1951: 258 bytes from a length and a distance of at least one bit each
LAST_FILTER = 4  # PNG specification, 9.2: every row starts with its filter, 0 (none) to 4 (Paeth)


@dataclass(frozen=True, slots=True)
class PngHeader(ImageHeader):
    """The IHDR chunk, with what only PNG has: the colour type (0, 2, 3, 4 or 6), interlacing, whether it moves."""

    color_type: int = RGB
    interlaced: bool = False
    animated: bool = False


def read_header(data: bytes) -> PngHeader:
    """Read the header from the first ``HEADER_BYTES`` of a PNG; more bytes are ignored.

    Raises:
        ImageError: not a PNG, or a header that the PNG specification does not allow.
    """
    if not data.startswith(SIGNATURE):
        raise ImageError("The file is not a PNG image; export it as PNG.")
    if len(data) < HEADER_BYTES:
        raise ImageError(TRUNCATED)
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
        raise ImageError(DAMAGED)
    return PngHeader(
        width, height, bit_depth, _COLOR_TYPES[color_type].name, color_type=color_type, interlaced=interlace == 1
    )


@dataclass(frozen=True, slots=True)
class Pass:
    """The pixels of an image that are stored together: all, or one of seven parts of an interlaced image."""

    width: int
    height: int
    column: int = 0
    row: int = 0
    column_step: int = 1
    row_step: int = 1


def passes(header: PngHeader) -> Iterator[Pass]:
    """Those that have pixels, in the order of the file."""
    if not header.interlaced:
        yield Pass(header.width, header.height)
        return
    for column, row, column_step, row_step in _ADAM7:
        width = len(range(column, header.width, column_step))
        height = len(range(row, header.height, row_step))
        if width and height:
            yield Pass(width, height, column, row, column_step, row_step)


def samples(header: PngHeader) -> int:
    """Stored for each pixel; an index into a palette is one."""
    return _COLOR_TYPES[header.color_type].samples


def row_bytes(header: PngHeader, width: int) -> int:
    """Of ``width`` pixels side by side, without the byte that names the filter."""
    return (width * header.bit_depth * samples(header) + 7) // 8


class ChunkOrder:
    """Watches, chunk by chunk, that those for pixels are where they may be, and not there again.

    The image data alone may come in several chunks, with none between them.
    """

    def __init__(self) -> None:
        self._latest = -1
        self._previous = b""

    def check(self, kind: bytes, length: int) -> None:
        """The next chunk of the file.

        Raises:
            ImageError: it is out of place, so that programs do not agree on what the file shows.
        """
        if kind in NEEDED:
            place = NEEDED.index(kind)
            goes_on = kind == self._previous == b"IDAT"
            if place < self._latest or (place == self._latest and not goes_on) or (kind == b"tRNS" and not length):
                raise ImageError(DAMAGED)
            self._latest = place
        self._previous = kind


def chunk(kind: bytes, content: Bytes) -> tuple[Bytes, ...]:
    """The parts of a PNG chunk: length, type, content, checksum of the last two."""
    checksum = crc32(content, crc32(kind))
    return struct.pack(">I", len(content)), kind, content, struct.pack(">I", checksum)


def store(rows: bytes) -> memoryview:
    """A zlib stream of ``rows`` as they are; into a buffer of known size, or they would be copied once more."""
    longest = len(rows) + len(rows) // 1024 + 64  # RFC 1951, 3.2.4: 5 bytes for each block of up to 65,535
    return memoryview(imagecodecs.deflate_encode(rows, level=0, out=bytearray(longest)))


def extras(header: PngHeader, palette: Bytes, transparency: Bytes) -> tuple[Bytes, ...]:
    """The chunks that the pixels need beside the image data: a palette, and which colours are transparent.

    Raises:
        ImageError: they do not fit the header, or each other.
    """
    parts: tuple[Bytes, ...] = ()
    if header.color_type == PALETTE:
        if len(palette) % 3 or not 3 <= len(palette) <= 3 * 2**header.bit_depth:
            raise ImageError(DAMAGED)
        parts += chunk(b"PLTE", palette)
    if transparency and header.color_type in (GREY, RGB, PALETTE):
        expected = {GREY: (2,), RGB: (6,), PALETTE: range(1, len(palette) // 3 + 1)}[header.color_type]
        if len(transparency) not in expected:
            raise ImageError(DAMAGED)
        parts += chunk(b"tRNS", transparency)
    return parts
