"""From decoded samples to what is shown and recognised: 8-bit RGB, model inputs, thumbnails."""

from __future__ import annotations

import io
import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.images.formats.format import BAND_PIXELS, ImageHeader, Pixels, Size, Window, by_strips
from core.images.preprocessing import Preprocessing

RENDERING_RULES = (
    "Images are shown, and given to the models, as 8-bit RGB. An image of more than 8 bits, or of signed or floating "
    "values, is scaled linearly by its own value range, or by that of all such images of the stack, which is a choice: "
    "the lowest value becomes 0 and the highest 255, with one range for all colour channels, so nothing is clipped; "
    "what is no number is black. A DICOM image with a window is shown in its first one, without one by its table, and "
    "turned round where its low values are white. Images of 1, 2 or 4 bits are scaled by their bit depth. Transparent "
    "parts lie over white. Gamma and colour profiles are not applied."
)
THUMBNAIL_MEDIA_TYPE = "image/jpeg"
_JPEG_QUALITY = 80
# How many source pixels on each side of a place count for it, where nothing is made smaller (Pillow's Resample.c).
RESAMPLING_REACH = {"bilinear": 1, "bicubic": 2}
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
OVERSAMPLING = 2  # how much larger than the resized image a decoded one is at least, if it was

ValueRange = tuple[int, int] | tuple[float, float]
"""The values of an image that become 0 and 255."""
RangeOf = Literal["image", "stack"]
"""Whose values those are: of each image by itself, or of all images of a stack together."""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""


def to_rgb(pixels: Pixels, values: ValueRange | None = None, *, band_pixels: int = BAND_PIXELS) -> NDArray[np.uint8]:
    """Turn what ``decode`` returns into uint8 ``[H, W, 3]`` by ``RENDERING_RULES``, rounding to nearest.

    ``values`` is the range of the whole image, where ``pixels`` are a part of one. About ``band_pixels`` are converted
    at a time.
    """
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels)
    low, high = values or value_range(pixels)
    return by_strips(pixels, np.uint8, lambda band: _band_to_rgb(band, low, high), channels=3, strip_pixels=band_pixels)


def shown(pixels: Pixels, header: ImageHeader, values: ValueRange | None = None) -> NDArray[np.uint8]:
    """What is shown and recognised of an image with this header: ``to_rgb`` in its own window, if it has one.

    ``values`` is the range of the whole image, where ``pixels`` are a part of one.
    """
    if header.curve and header.window:
        rgb = _by_curve(pixels, header.window, np.frombuffer(header.curve, np.uint8))
    else:
        rgb = to_rgb(pixels, header.window or values)
    return 255 - rgb if header.inverted else rgb


def is_scaled(header: ImageHeader) -> bool:
    """Whether an image is shown by a range of values: it has more than 8 bits, or other numbers, and no own window."""
    deep = header.sample_kind != "unsigned" or (header.bit_depth > 8 and header.color != "palette")
    return deep and header.window is None


def value_range(pixels: Pixels) -> ValueRange:
    """The values that become 0 and 255; 8-bit images stay as they are."""
    if pixels.dtype == np.uint8:
        return 0, 255
    low, high = visible_values(pixels)
    return scalable(low, high, pixels.dtype)


def visible_values(pixels: Pixels) -> ValueRange:
    """The lowest and the highest value, leaving out fully transparent pixels, whose values nobody sees.

    So are infinity and what is no number. Where nothing is left, the first is above the second.
    """
    colour, alpha = _split(pixels)
    if colour.dtype.kind == "f":
        low, high = float(colour.min()), float(colour.max())  # not finite where any value is not
        if not (math.isfinite(low) and math.isfinite(high)):
            finite = np.isfinite(colour)
            low = float(colour.min(where=finite, initial=np.inf))
            high = float(colour.max(where=finite, initial=-np.inf))
        return low, high
    visible = True if alpha is None else alpha > 0
    limits = np.iinfo(pixels.dtype)
    low, high = colour.min(where=visible, initial=limits.max), colour.max(where=visible, initial=limits.min)
    return int(low), int(high)


def scalable(low: float, high: float, dtype: np.dtype[Any]) -> ValueRange:
    """The range to scale an image by. A constant one has none: it is scaled by what 16 bits can have, or is black."""
    if low < high:
        return low, high
    return (0, 65535) if dtype == np.uint16 or low > high else (low, low + max(1.0, abs(low)))


def enough(size: Size, preprocessing: Preprocessing, side: int = 0) -> Size:
    """The width and height from which an image of ``size`` may be decoded to make a model input of it.

    With ``side``, a thumbnail too. Twice the resized image is as good as all of it: see ``docs/formats.md``.
    """
    factor = min(1.0, max(OVERSAMPLING * preprocessing.resize / min(size), side / max(size)))
    return math.ceil(size[0] * factor), math.ceil(size[1] * factor)


def enough_of(header: ImageHeader, preprocessing: Preprocessing) -> Size:
    """The same for a model input by the image's own range of values, which is that of its full size."""
    size = header.width, header.height
    return size if is_scaled(header) else enough(size, preprocessing)


def to_model_input(
    rgb: NDArray[np.uint8], preprocessing: Preprocessing, size: Size | None = None, *, grey: bool = False
) -> NDArray[np.uint8]:
    """Resize and crop uint8 ``[H, W, 3]`` to a model input: uint8 of ``preprocessing.input_shape``.

    With ``grey`` the three channels are equal, and one is worked on. ``size`` is that of the whole image, where it was
    decoded in a smaller one: a whole number of times smaller.

    The pixel part of torchvision's classification presets: resize the shorter side, antialiased, and crop the centre.
    Resizing only the source region that survives the crop gives the same pixels to within 1 of 255, several times
    faster.
    """
    return _model_input(_image(rgb, grey), preprocessing, size)


def to_thumbnail_and_model_input(
    rgb: NDArray[np.uint8], side: int, preprocessing: Preprocessing, size: Size | None = None, *, grey: bool = False
) -> tuple[bytes, NDArray[np.uint8]]:
    """What is kept of an image, uint8 ``[H, W, 3]``: a JPEG of at most ``side`` pixels a side, and ``to_model_input``.

    The thumbnail is the image reduced by the smallest whole number that makes it fit; never enlarged. That takes
    0.3 ms for a 500x375 photo, where any other size takes 1.2. ``grey`` as for ``to_model_input``.
    """
    image = _image(rgb, grey)
    return jpeg(image.reduce(thumbnail_factor(image.size, side))), _model_input(image, preprocessing, size)


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
    if rgb.ndim == 2:
        return np.repeat(rgb[..., np.newaxis], 3, axis=2)
    return rgb if preprocessing.color_order == "RGB" else np.ascontiguousarray(rgb[..., ::-1])


def _image(rgb: NDArray[np.uint8], grey: bool) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(rgb[..., 0]) if grey else rgb)


def _model_input(image: Image.Image, preprocessing: Preprocessing, size: Size | None) -> NDArray[np.uint8]:
    size = size or image.size
    times = round(size[0] / image.width)  # smaller, its sides rounded: the part that counts is the same
    left, top, right, bottom = (side / times for side in crop_box(size, preprocessing))
    crop, box = preprocessing.crop, (left, top, min(right, image.width), min(bottom, image.height))
    return in_order(resized(image, (crop, crop), box, preprocessing), preprocessing)


def _by_curve(grey: Pixels, window: Window, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``[H, W, 1]`` as levels that stand evenly between the ends of a window; outside it those at the ends count."""
    low, high = window

    def curved(strip: Pixels) -> NDArray[np.uint8]:
        places = np.clip((strip.astype(np.float64) - low) * ((len(levels) - 1) / (high - low)), 0, len(levels) - 1)
        return levels[np.rint(np.nan_to_num(places)).astype(np.intp)]

    return by_strips(grey, np.uint8, curved, channels=3)


def _split(pixels: Pixels) -> tuple[Pixels, Pixels | None]:
    """Colour or grey ``[H, W, 1 or 3]``, and alpha ``[H, W, 1]`` where there is one."""
    return (pixels[..., :-1], pixels[..., -1:]) if pixels.shape[2] in (2, 4) else (pixels, None)


def _band_to_rgb(band: Pixels, low: float, high: float) -> NDArray[np.uint8]:
    colour, alpha = _split(band)
    if band.dtype == np.uint16 and isinstance(low, int):
        colour, alpha = _scale(colour, int(low), int(high)), None if alpha is None else _scale(alpha, 0, 65535)
    elif band.dtype != np.uint8 or (low, high) != (0, 255):
        colour = scale_any(colour, low, high).astype(np.uint8)
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


def scale_any(values: Pixels, low: float, high: float) -> NDArray[np.float64]:
    """Map ``low..high`` linearly to 0..255, to nearest, of any kind of number; values outside are clamped, NaN is 0."""
    with np.errstate(invalid="ignore", over="ignore"):  # infinity, which is clamped, and what is no number
        wide = values.astype(np.float64)
        if not math.isfinite((high - low) * 255):  # of numbers near the ends of float64
            wide, low, high = wide / 1024, low / 1024, high / 1024
        wide = np.clip((wide - low) * 255 / (high - low), 0, 255)
    return np.nan_to_num(wide, copy=False).round()


def _over_white(colour: Pixels, alpha: Pixels) -> NDArray[np.uint8]:
    """``(colour * alpha + white * (255 - alpha)) / 255`` of uint8 values, to nearest; every sum fits 16 bits."""
    blended = colour.astype(np.uint16) * alpha
    blended += 255 * (255 - alpha.astype(np.uint16))
    blended += 127
    blended //= 255
    return blended.astype(np.uint8)
