"""Images for a browser: a file it shows as it is, or one made of pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

import imagecodecs
import numpy as np
from numpy.typing import NDArray

MEDIA_TYPE = "image/png"  # of what is made here: lossless, and every browser shows it
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _PALETTE = 0, 2, 3  # PNG specification, 11.2.2: the colour types
_NONE = 0  # 9.2: the filter that changes nothing
_SUB = 1  # 9.2: the filter that leaves the difference to the pixel on the left


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that any browser shows, and its media type."""

    content: bytes
    media_type: str = MEDIA_TYPE


def to_picture(rgb: NDArray[np.uint8], *, grey: bool = False) -> Picture:
    """A lossless picture of uint8 ``[H, W, 3]``, compressed for speed rather than size.

    Level 1 with run-length matching and one fixed filter takes 4 ms for a 500x375 photo instead of 14 ms
    (level 1 alone), and 7% more bytes. With ``grey`` the three channels are equal, and one is kept: that takes a third
    of time and bytes.
    """
    png = imagecodecs.PNG
    rgb = rgb[..., 0].copy() if grey else rgb  # not only contiguous: of one pixel, strides count for the encoder
    return Picture(bytes(imagecodecs.png_encode(rgb, level=1, strategy=png.STRATEGY.RLE, filter=png.FILTER.SUB)))


def to_picture_pieces(
    strips: Iterator[NDArray[np.uint8]], width: int, height: int, *, grey: bool = False
) -> Generator[bytes]:
    """The same of a large image, from strips uint8 ``[h, W, 3]``; a piece is ready as soon as its strip is."""
    yield _SIGNATURE + _chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, _GREY if grey else _RGB, 0, 0, 0))
    step = 1 if grey else 3  # bytes of a pixel
    packer = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    for strip in strips:
        rows = strip[..., 0] if grey else strip.reshape(len(strip), -1)
        filtered = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
        filtered[:, 0] = _SUB
        filtered[:, 1 : 1 + step] = rows[:, :step]
        np.subtract(rows[:, step:], rows[:, :-step], out=filtered[:, 1 + step :])
        if packed := packer.compress(filtered.tobytes()):
            yield _chunk(b"IDAT", packed)
    yield _chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b"")


def to_palette_png(steps: NDArray[np.uint8], palette: bytes, texts: Mapping[str, str]) -> bytes:
    """A small PNG of uint8 ``[H, W]`` with a palette of 256 RGB colours and texts, in a quarter of Pillow's time."""
    height, width = steps.shape
    rows = np.full((height, 1 + width), _NONE, np.uint8)
    rows[:, 1:] = steps
    said = (_chunk(b"iTXt", key.encode("latin-1") + bytes(5) + text.encode()) for key, text in texts.items())
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, _PALETTE, 0, 0, 0)),
            _chunk(b"PLTE", palette),
            *said,
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 1)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
