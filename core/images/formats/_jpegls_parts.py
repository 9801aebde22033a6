"""What a JPEG-LS says of itself before its compressed data, by ITU-T T.87: as it is part of other files."""

from __future__ import annotations

import struct

from core.base.errors import ImageError
from core.images.formats.format import ColorKind, ImageHeader

DAMAGED = "The JPEG-LS is damaged; export it again."
_START, _FRAME, _SCAN, _PRESETS, _END = b"\xff\xd8", 0xF7, 0xDA, 0xF8, b"\xff\xd9"
_COLORS: dict[int, ColorKind] = {1: "grey", 3: "RGB"}
_MAX_SEGMENTS = 100


def read_header(data: bytes) -> ImageHeader:
    """The header of a whole JPEG-LS.

    Raises:
        ImageError: not one, damaged, cut short, or of a kind that cannot be read.
    """
    if not data.startswith(_START) or not data.rstrip(b"\0").endswith(_END):
        raise ImageError(DAMAGED)
    position = len(_START)
    found: ImageHeader | None = None
    for _ in range(_MAX_SEGMENTS):
        if position + 4 > len(data) or data[position] != 0xFF:
            break
        marker = data[position + 1]
        (length,) = struct.unpack_from(">H", data, position + 2)
        content = data[position + 4 : position + 2 + length]
        if marker == _SCAN and found is not None:
            return found
        if marker == _FRAME:
            if found is not None or len(content) < 6:
                break
            depth, height, width, components = struct.unpack_from(">BHHB", content)
            if not (width and height and 2 <= depth <= 16 and components in _COLORS):
                break
            found = ImageHeader(width, height, depth, _COLORS[components])
        elif marker == _PRESETS and content[:1] not in (
            b"\1",
        ):  # other kinds change sizes, or have tables of their own
            break
        position += 2 + length
    raise ImageError(DAMAGED)
