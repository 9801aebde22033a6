"""Large images from top to bottom, in a few megabytes: read, turned into pictures, samples, model inputs, thumbnails.

What comes out is what the functions for whole images make. Thumbnails, and model inputs of tall images, may differ by
1 or 2 of 255, because Pillow rounds between its two directions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.base.settings import MIB
from core.images import pixels
from core.images.formats.format import FileReader, FormatInStrips, ImageFormat, ImageHeader, Pixels, Size, in_strips
from core.images.preprocessing import Preprocessing

LARGE_PIXELS = 16_000_000  # larger images are worked on in strips; smaller ones are faster in one piece
STRIP_PIXELS = 1024 * 1024  # some ten milliseconds of work
SENT_PIXELS = 128 * 1024  # of a strip that somebody waits for: it is in memory for as long as they read
_STRIP_BYTES = 64 * MIB  # a strip as it is read, as samples, as RGB, and as a Pillow image

RgbStrips = Iterator[NDArray[np.uint8]]


def is_large(header: ImageHeader) -> bool:
    """Whether an image is worked on in strips."""
    return header.pixels > LARGE_PIXELS


def read_strips(
    image_format: ImageFormat, file: FileReader, frame: int, *, max_pixels: int, strip_pixels: int = STRIP_PIXELS
) -> Iterator[Pixels]:
    """Strips ``[h, W, C]`` that together are what ``ImageFormat.decode`` gives.

    Raises:
        ImageTooLarge, ImageError: as there; after the last strip at the latest.
    """
    if isinstance(image_format, FormatInStrips):
        return image_format.decode_strips(file, frame, max_pixels=max_pixels, strip_pixels=strip_pixels)
    return in_strips(image_format.decode(file, frame, max_pixels=max_pixels), strip_pixels)


def strip_bytes(image_format: ImageFormat, header: ImageHeader) -> int | None:
    """Memory that working in strips takes, in bytes; None where the format has to decode in one piece."""
    return _STRIP_BYTES + image_format.strip_bytes(header) if isinstance(image_format, FormatInStrips) else None


def without_whole(image_format: ImageFormat, header: ImageHeader) -> bool:
    """Whether working in strips holds nothing but strips, so that it may take as long as somebody reads the answer."""
    return isinstance(image_format, FormatInStrips) and not image_format.strip_bytes(header)


def value_range(strips: Iterator[Pixels], header: ImageHeader) -> pixels.ValueRange:
    """The values that become black and white; see ``pixels.value_range``. Images of 8 bits are not looked through.

    Nor are those with a window of their own.
    """
    if header.window is not None:
        return header.window
    if header.highest_sample == 255:
        return 0, 255
    low, high = visible_values(strips)
    return pixels.scalable(low, high, header.dtype)


def visible_values(strips: Iterator[Pixels]) -> pixels.ValueRange:
    """The lowest and the highest value; see ``pixels.visible_values``."""
    lows, highs = zip(*(pixels.visible_values(strip) for strip in strips), strict=True)
    return min(lows), max(highs)


def shown(strips: Iterator[Pixels], header: ImageHeader, values: pixels.ValueRange) -> RgbStrips:
    """uint8 ``[h, W, 3]`` for each strip; see ``pixels.shown``."""
    return (pixels.shown(strip, header, values) for strip in strips)


def to_thumbnail_and_model_input(
    strips: RgbStrips, size: Size, side: int, preprocessing: Preprocessing
) -> tuple[bytes, NDArray[np.uint8]]:
    """What is kept of an image of ``size``; see ``pixels.to_thumbnail_and_model_input``."""
    factor, crop = pixels.thumbnail_factor(size, side), preprocessing.crop
    left, top, right, bottom = pixels.crop_box(size, preprocessing)
    # Across first, and then downwards what that gives. Rows count as far as this:
    reach = pixels.RESAMPLING_REACH[preprocessing.interpolation] * max((bottom - top) / crop, 1.0) + 1
    first, last = max(int(top - reach), 0), int(bottom + reach) + 1
    reduced: list[NDArray[np.uint8]] = []
    narrowed: list[NDArray[np.uint8]] = []
    row = 0
    for strip in strips:
        image = Image.fromarray(strip)
        reduced.append(np.asarray(image.reduce((factor, 1))))
        above, below = max(first - row, 0), min(last - row, len(strip))
        if above < below:
            wanted = image.crop((0, above, image.width, below))
            part = (left, 0, right, wanted.height)
            narrowed.append(np.asarray(pixels.resized(wanted, (crop, wanted.height), part, preprocessing)))
        row += len(strip)
    thumbnail = pixels.jpeg(Image.fromarray(np.concatenate(reduced)).reduce((1, factor)))
    column = Image.fromarray(np.concatenate(narrowed))
    square = pixels.resized(column, (crop, crop), (0, top - first, crop, bottom - first), preprocessing)
    return thumbnail, pixels.in_order(square, preprocessing)
