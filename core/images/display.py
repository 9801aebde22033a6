"""Images for a browser: a file it shows as it is, or one made of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import imagecodecs
import numpy as np
from numpy.typing import NDArray

MEDIA_TYPE = "image/png"  # of what is made here: lossless, and every browser shows it


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that any browser shows, and its media type."""

    content: bytes
    media_type: str = MEDIA_TYPE


def to_picture(rgb: NDArray[np.uint8]) -> Picture:
    """A lossless picture of uint8 ``[H, W, 3]``, compressed for speed rather than size.

    Level 1 with run-length matching and one fixed filter takes 4 ms for a 500x375 photo instead of 14 ms
    (level 1 alone), and 7% more bytes.
    """
    png = imagecodecs.PNG
    return Picture(bytes(imagecodecs.png_encode(rgb, level=1, strategy=png.STRATEGY.RLE, filter=png.FILTER.SUB)))
