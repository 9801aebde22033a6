"""How a picture is to be turned, as cameras write it: Exif's orientation (Exif 2.32, 4.6.4, tag 0x0112)."""

from __future__ import annotations

import struct

import numpy as np

from core.images.formats.format import Pixels

UPRIGHT = 1
_ORIENTATION, _SHORT = 0x0112, 3
_MOST_TAGS = 1000  # looked at; cameras write some dozens


def is_turned(orientation: int) -> bool:
    """Whether width and height change places."""
    return orientation >= 5


def read_orientation(exif: bytes) -> int:
    """1 to 8, from the bytes of an Exif block (a small TIFF); 1 where there is none, or nonsense."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return UPRIGHT
    (start,) = struct.unpack_from(order + "L", exif, 4)
    if start + 2 > len(exif):
        return UPRIGHT
    (count,) = struct.unpack_from(order + "H", exif, start)
    for place in range(start + 2, start + 2 + 12 * min(count, _MOST_TAGS), 12):
        if place + 12 > len(exif):
            break
        tag, kind, values, value = struct.unpack_from(order + "HHLH", exif, place)
        if tag == _ORIENTATION:
            return value if (kind, values) == (_SHORT, 1) and 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def write_orientation(orientation: int) -> bytes:
    """An Exif block that says this and nothing else."""
    return struct.pack("<4sLHHHLHxxL", b"II*\0", 8, 1, _ORIENTATION, _SHORT, 1, orientation, 0)


def turn(pixels: Pixels, orientation: int) -> Pixels:
    """``[H, W, C]`` as it is meant to be seen."""
    if orientation == UPRIGHT:
        return pixels
    down, across = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(orientation, (1, 1))
    order = (1, 0, 2) if is_turned(orientation) else (0, 1, 2)
    turned: Pixels = np.ascontiguousarray(pixels.transpose(order)[::down, ::across])
    return turned
