"""From decoded samples to what is shown and recognised: 8-bit RGB, model inputs, thumbnails."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.images.formats.format import Pixels
from core.images.preprocessing import Preprocessing

RENDERING_RULES = (
    "Images are shown, and given to the models, as 8-bit RGB. A 16-bit image is scaled linearly by its own value "
    "range: its lowest value becomes 0 and its highest 255, with one range for all colour channels, so nothing is "
    "clipped. Images of 1, 2 or 4 bits are scaled by their bit depth. Transparent parts lie over white. Gamma and "
    "colour profiles are not applied."
)
THUMBNAIL_MEDIA_TYPE = "image/jpeg"
_JPEG_QUALITY = 80
# How many source pixels on each side of a place count for it, where nothing is made smaller (Pillow's Resample.c).
RESAMPLING_REACH = {"bilinear": 1, "bicubic": 2}
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
BAND_PIXELS = 1024 * 1024  # converted at a time, so that the intermediate values of a huge image take no memory

ValueRange = tuple[int, int]
"""The values of an image that become 0 and 255."""
Size = tuple[int, int]
"""Width and height, in pixels."""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""


def to_rgb(pixels: Pixels, shown: ValueRange | None = None, *, band_pixels: int = BAND_PIXELS) -> NDArray[np.uint8]:
    """Turn what ``decode`` returns into uint8 ``[H, W, 3]`` by ``RENDERING_RULES``, rounding to nearest.

    ``shown`` is the range of the whole image, where ``pixels`` are a part of one. About ``band_pixels`` are converted
    at a time.
    """
    height, width, channels = pixels.shape
    if pixels.dtype == np.uint8 and channels == 3:
        return np.ascontiguousarray(pixels)
    low, high = shown or value_range(pixels)
    rgb = np.empty((height, width, 3), np.uint8)
    rows = max(1, band_pixels // width)
    for start in range(0, height, rows):
        rgb[start : start + rows] = _band_to_rgb(pixels[start : start + rows], low, high)
    return rgb


def value_range(pixels: Pixels) -> ValueRange:
    """The values that become 0 and 255; 8-bit images stay as they are."""
    return (0, 255) if pixels.dtype == np.uint8 else scalable(*visible_values(pixels))


def visible_values(pixels: Pixels) -> ValueRange:
    """The lowest and the highest value, leaving out fully transparent pixels, whose values nobody sees."""
    colour, alpha = _split(pixels)
    visible = True if alpha is None else alpha > 0
    highest = np.iinfo(pixels.dtype).max
    return int(colour.min(where=visible, initial=highest)), int(colour.max(where=visible, initial=0))


def scalable(low: int, high: int) -> ValueRange:
    """The range to scale a 16-bit image by: a constant one has none, and is scaled by 65535."""
    return (low, high) if low < high else (0, 65535)


def to_model_input(rgb: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Resize and crop uint8 ``[H, W, 3]`` to a model input: uint8 of ``preprocessing.input_shape``.

    The pixel part of torchvision's classification presets: resize the shorter side, antialiased, and crop the centre.
    Resizing only the source region that survives the crop gives the same pixels to within 1 of 255, several times
    faster.
    """
    return _model_input(Image.fromarray(rgb), preprocessing)


def to_thumbnail_and_model_input(
    rgb: NDArray[np.uint8], side: int, preprocessing: Preprocessing
) -> tuple[bytes, NDArray[np.uint8]]:
    """What is kept of an image, uint8 ``[H, W, 3]``: a JPEG of at most ``side`` pixels a side, and ``to_model_input``.

    The thumbnail is the image reduced by the smallest whole number that makes it fit; never enlarged. That takes
    0.3 ms for a 500x375 photo, where any other size takes 1.2.
    """
    image = Image.fromarray(rgb)
    return jpeg(image.reduce(thumbnail_factor(image.size, side))), _model_input(image, preprocessing)


def thumbnail_factor(size: Size, side: int) -> int:
    """By how much an image is reduced to fit into a square."""
    return -(-max(size) // side)


def jpeg(image: Image.Image) -> bytes:
    """A thumbnail's file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def crop_box(size: Size, preprocessing: Preprocessing) -> Box:
    """The part of an image that becomes the model input."""
    width, height = size
    if preprocessing.stretch:
        return 0, 0, width, height
    resize, crop = preprocessing.resize, preprocessing.crop
    # As torchvision rounds: the longer side down, the offset of the crop to nearest, half to even.
    resized_width = resize if width <= height else int(resize * width / height)
    resized_height = resize if height <= width else int(resize * height / width)
    left = round((resized_width - crop) / 2)
    top = round((resized_height - crop) / 2)
    x_scale, y_scale = width / resized_width, height / resized_height
    return left * x_scale, top * y_scale, (left + crop) * x_scale, (top + crop) * y_scale


def resized(image: Image.Image, size: Size, box: Box, preprocessing: Preprocessing) -> Image.Image:
    """``box`` of an image in another size."""
    return image.resize(size, _RESAMPLING[preprocessing.interpolation], box=box)


def in_order(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """uint8 ``[H, W, 3]``, channels as the model takes them."""
    rgb = np.asarray(image)
    return rgb if preprocessing.color_order == "RGB" else np.ascontiguousarray(rgb[..., ::-1])


def _model_input(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    crop, box = preprocessing.crop, crop_box(image.size, preprocessing)
    return in_order(resized(image, (crop, crop), box, preprocessing), preprocessing)


def _split(pixels: Pixels) -> tuple[Pixels, Pixels | None]:
    """Colour or grey ``[H, W, 1 or 3]``, and alpha ``[H, W, 1]`` where there is one."""
    return (pixels[..., :-1], pixels[..., -1:]) if pixels.shape[2] in (2, 4) else (pixels, None)


def _band_to_rgb(band: Pixels, low: int, high: int) -> NDArray[np.uint8]:
    colour, alpha = _split(band)
    if band.dtype == np.uint16:
        colour, alpha = _scale(colour, low, high), None if alpha is None else _scale(alpha, 0, 65535)
    rgb = colour.astype(np.uint8, copy=False) if alpha is None else _over_white(colour, alpha)
    return np.repeat(rgb, 3, axis=2) if rgb.shape[2] == 1 else rgb


def _scale(values: Pixels, low: int, high: int) -> NDArray[np.uint8]:
    """Map ``low..high`` linearly to 0..255, to nearest; values outside, which only hidden pixels have, are clamped."""
    scaled = np.clip(values, low, high).astype(np.uint32)
    scaled -= low
    scaled *= 255
    scaled += (high - low) // 2
    scaled //= high - low
    return scaled.astype(np.uint8)


def _over_white(colour: Pixels, alpha: Pixels) -> NDArray[np.uint8]:
    """``(colour * alpha + white * (255 - alpha)) / 255`` of uint8 values, to nearest; every sum fits 16 bits."""
    blended = colour.astype(np.uint16) * alpha
    blended += 255 * (255 - alpha.astype(np.uint16))
    blended += 127
    blended //= 255
    return blended.astype(np.uint8)
