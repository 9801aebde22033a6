"""From a file of any format to the input of a model, where nothing else is made of the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.images import pixels, strips
from core.images.formats.format import FileReader, ImageFormat, ImageHeader, Pixels, decoded_header
from core.images.memory import preparing_bytes
from core.images.preprocessing import Preprocessing


def making_bytes(image_format: ImageFormat, header: ImageHeader, file_size: int, preprocessing: Preprocessing) -> int:
    """Memory that ``make_input`` takes for a moment, in bytes."""
    enough = pixels.enough_of(header, preprocessing)
    return preparing_bytes(image_format, header, file_size, enough)


def make_input(
    image_format: ImageFormat,
    file: FileReader,
    frame: int,
    header: ImageHeader,
    preprocessing: Preprocessing,
    *,
    max_pixels: int,
) -> NDArray[np.uint8]:
    """The model input of one frame, uint8 of ``preprocessing.input_shape``; a large image in strips.

    Raises:
        ImageTooLarge, ImageError: as for ``ImageFormat.decode``.
    """
    size = header.width, header.height
    enough = pixels.enough_of(header, preprocessing)
    if strips.is_large(decoded_header(image_format, header, enough)):

        def read() -> Iterator[Pixels]:
            return strips.read_strips(image_format, file, frame, max_pixels=max_pixels)

        rgb = strips.shown(read(), header, strips.value_range(read(), header))
        return strips.to_thumbnail_and_model_input(rgb, size, preprocessing.crop, preprocessing)[1]
    samples = image_format.decode(file, frame, max_pixels=max_pixels, at_least=enough)
    return pixels.to_model_input(pixels.shown(samples, header), preprocessing, size, grey=header.is_grey)
