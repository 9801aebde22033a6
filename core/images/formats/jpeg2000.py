"""The JPEG 2000 format, JP2 files and bare codestreams, decoded by OpenJPEG through imagecodecs."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np

from core.base.errors import ImageError
from core.images.formats._boxes import boxes
from core.images.formats.format import ColorKind, FileReader, ImageHeader, Pixels, Size, check_size

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
CODESTREAM = b"\xff\x4f\xff\x51"  # ISO/IEC 15444-1, annex A: SOC, and SIZ, which always follows
HEAD_BYTES = (4 * 1024, 1024 * 1024)
DAMAGED = "The JPEG 2000 is damaged; copy or export it again."
TRUNCATED = "The JPEG 2000 ends too early; copy or export it again."

_SIZE = struct.Struct(">2H8LH")  # from the length of SIZ to the number of components
_COLORS: dict[int, ColorKind] = {1: "grey", 2: "grey + alpha", 3: "RGB", 4: "RGBA"}
_FEW_TILES, _TILE_PIXELS = 64, 1024  # more than a few of them have so many pixels each; OpenJPEG takes 6 kB for one
_END = b"\xff\xd9"


class Jpeg2000:
    """JPEG 2000 as one of the formats."""

    name = "JPEG 2000"
    extensions = (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx")
    media_type = "image/jp2"
    head_bytes = len(SIGNATURE)
    reads_parts = False
    names_people = False

    def matches(self, head: bytes) -> bool:
        """See ``ImageFormat.matches``."""
        return head.startswith((SIGNATURE, CODESTREAM))

    def read_headers(self, file: FileReader) -> tuple[ImageHeader]:
        """See ``ImageFormat.read_headers``."""
        for count in HEAD_BYTES:
            head = file.read(0, count)
            start = _codestream(head)
            if start is not None and start + len(CODESTREAM) + _SIZE.size + 12 <= len(head):
                return (_header(head, start),)
            if len(head) < count:
                break
        raise ImageError(TRUNCATED if self.matches(file.read(0, self.head_bytes)) else _OTHER)

    def decode(self, file: FileReader, frame: int = 0, *, max_pixels: int, at_least: Size | None = None) -> Pixels:
        """See ``ImageFormat.decode``; always the full size."""
        (header,) = self.read_headers(file)
        check_size(header, max_pixels)
        data = file.read()
        if not data.rstrip(b"\0").endswith(_END):
            raise ImageError(TRUNCATED)  # OpenJPEG fills what is missing with what it likes
        try:
            pixels: Pixels = imagecodecs.jpeg2k_decode(data)
        except (RuntimeError, ValueError) as error:
            raise ImageError(DAMAGED) from error
        pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
        if pixels.shape[:2] != (header.height, header.width) or pixels.shape[2] not in _COLORS:
            raise ImageError(DAMAGED)
        if header.bit_depth < 8:
            pixels = pixels.astype(np.uint16) * 255 // (2**header.bit_depth - 1)
        found: Pixels = pixels.astype(header.dtype, copy=False)
        return found


FORMAT = Jpeg2000()
_OTHER = "The file is not a JPEG 2000 image; export it as JPEG 2000 or PNG."


def _codestream(head: bytes) -> int | None:
    """Where the codestream begins."""
    if head.startswith(CODESTREAM):
        return 0
    if not head.startswith(SIGNATURE):
        raise ImageError(_OTHER)
    return next((start for kind, start, _ in boxes(head) if kind == b"jp2c"), None)


def read_codestream(data: bytes, *, signed: bool) -> ImageHeader:
    """The header of a codestream, or of a file with one, as it is part of another file, whole.

    Raises:
        ImageError: damaged, cut short, or of a kind that cannot be read.
    """
    start = _codestream(data)
    ended = data.rstrip(b"\0\xff").endswith(_END)  # what makes a length even
    if start is None or start + len(CODESTREAM) + _SIZE.size + 12 > len(data) or not ended:
        raise ImageError(TRUNCATED)
    return _header(data, start, signed=signed)


def _header(head: bytes, start: int, *, signed: bool = False) -> ImageHeader:
    if not head.startswith(CODESTREAM, start):
        raise ImageError(DAMAGED)
    _, _, right, bottom, left, top, tile_width, tile_height, *_, components = _SIZE.unpack_from(
        head, start + len(CODESTREAM)
    )
    width, height = right - left, bottom - top
    if width <= 0 or height <= 0 or not tile_width or not tile_height:
        raise ImageError(DAMAGED)
    if -(-right // tile_width) * -(-bottom // tile_height) > _FEW_TILES + width * height // _TILE_PIXELS:
        raise ImageError(DAMAGED)
    parts = [head[start + 42 + 3 * number : start + 45 + 3 * number] for number in range(min(components, 4))]
    depths = {part[0] for part in parts if part}
    if components not in _COLORS or len(depths) != 1 or any(part[1:] != b"\1\1" for part in parts):
        raise ImageError("A JPEG 2000 of components that differ, which cannot be read; export it as PNG or TIFF.")
    (depth,) = depths
    if bool(depth & 0x80) > signed or (depth & 0x7F) + 1 > 16:
        raise ImageError("A JPEG 2000 of signed values or of more than 16 bits; export it as TIFF.")
    return ImageHeader(width, height, (depth & 0x7F) + 1, _COLORS[components])
