"""The BMP format, as Windows writes it, decoded by Pillow."""

from __future__ import annotations

import struct

from core.base.errors import ImageError
from core.images.formats._pillow import open_image, refusing, to_pixels
from core.images.formats.format import ColorKind, FileReader, ImageHeader, Pixels, check_size

HEAD_BYTES = 70  # file header, information header, masks of the colours
DAMAGED = "The BMP is damaged; copy or export it again."
TRUNCATED = "The BMP ends too early; copy or export it again."

_CORE_BYTES, _INFO_BYTES = 12, (40, 52, 56, 64, 108, 124)  # of the information header, which tell its version
_PLAIN, _RLE8, _RLE4, _MASKS = 0, 1, 2, 3  # how the pixels are stored


class Bmp:
    """BMP as one of the formats."""

    name = "BMP"
    extensions = (".bmp", ".dib")
    media_type = "image/bmp"
    head_bytes = 2
    reads_parts = False
    names_people = False

    def matches(self, head: bytes) -> bool:
        """See ``ImageFormat.matches``."""
        return head.startswith(b"BM")

    def read_headers(self, file: FileReader) -> tuple[ImageHeader]:
        """See ``ImageFormat.read_headers``."""
        return (_read_header(file.read(0, HEAD_BYTES), file.size),)

    def decode(
        self, file: FileReader, frame: int = 0, *, max_pixels: int, at_least: tuple[int, int] | None = None
    ) -> Pixels:
        """See ``ImageFormat.decode``; always the full size."""
        header = _read_header(file.read(0, HEAD_BYTES), file.size)
        check_size(header, max_pixels)
        with refusing(DAMAGED):
            pixels = to_pixels(open_image(file.read(), "BMP"))
        if pixels.shape[:2] != (header.height, header.width):
            raise ImageError(DAMAGED)
        return pixels


FORMAT = Bmp()


def _read_header(head: bytes, file_size: int) -> ImageHeader:
    if not FORMAT.matches(head):
        raise ImageError("The file is not a BMP image; export it as BMP.")
    if len(head) < 26:
        raise ImageError(TRUNCATED)
    start, version = struct.unpack_from("<LL", head, 10)
    if version == _CORE_BYTES:
        width, height, _, bits = struct.unpack_from("<4H", head, 18)
        packing = _PLAIN
    elif version in _INFO_BYTES and len(head) >= 34:
        width, height, _, bits, packing = struct.unpack_from("<llHHL", head, 18)
    else:
        raise ImageError(DAMAGED)
    height = abs(height)  # negative where the rows begin at the top
    if width <= 0 or not height or bits not in (1, 4, 8, 16, 24, 32):
        raise ImageError(DAMAGED)
    if packing not in (_PLAIN, _RLE8, _RLE4, _MASKS):
        raise ImageError("A BMP with a JPEG or PNG inside, or stored in another rare way; export it as PNG.")
    if packing in (_PLAIN, _MASKS) and start + (width * bits + 31) // 32 * 4 * height > file_size:
        raise ImageError(TRUNCATED)
    color: ColorKind = "palette" if bits <= 8 else "RGBA" if bits == 32 else "RGB"
    return ImageHeader(width, height, min(bits, 8), color)
