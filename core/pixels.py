"""From PNG bytes to what is shown and recognised: 8-bit RGB, the model input, thumbnails."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.png import HEADER_BYTES, Pixels, PngHeader, check_size, decode, read_header
from core.settings import MODEL_INPUT_SIDE, RESIZE_SIDE

__all__ = [
    "HEADER_BYTES",
    "RENDERING_RULES",
    "Pixels",
    "PngHeader",
    "check_size",
    "decode",
    "encode_png",
    "read_header",
    "to_model_input",
    "to_rgb",
    "to_thumbnail",
]

RENDERING_RULES = (
    "Images are shown, and given to the models, as 8-bit RGB. A 16-bit image is scaled linearly by its own value "
    "range: its lowest value becomes 0 and its highest 255, with one range for all colour channels, so nothing is "
    "clipped. Images of 1, 2 or 4 bits are scaled by their bit depth. Transparent parts lie over white. Gamma and "
    "colour profiles are not applied."
)
_JPEG_QUALITY = 80


def to_rgb(pixels: Pixels) -> NDArray[np.uint8]:
    """Turn what ``decode`` returns into uint8 ``[H, W, 3]`` by ``RENDERING_RULES``, rounding to nearest.

    A constant 16-bit image has no range to scale by; it is scaled by 65535. The range leaves out fully
    transparent pixels, whose values nobody sees.
    """
    has_alpha = pixels.shape[2] in (2, 4)
    colour, alpha = (pixels[..., :-1], pixels[..., -1:]) if has_alpha else (pixels, None)
    if colour.dtype == np.uint16:
        visible = colour if alpha is None else colour[alpha[..., 0] > 0]
        low, high = (int(visible.min()), int(visible.max())) if visible.size else (0, 0)
        colour = _scale(colour, low, high) if low < high else _scale(colour, 0, 65535)
        alpha = None if alpha is None else _scale(alpha, 0, 65535)
    rgb = colour.astype(np.uint8, copy=False) if alpha is None else _over_white(colour, alpha)
    return np.repeat(rgb, 3, axis=2) if rgb.shape[2] == 1 else np.ascontiguousarray(rgb)


def to_model_input(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize and crop uint8 ``[H, W, 3]`` to the uint8 ``[224, 224, 3]`` that the networks take.

    The pixel part of torchvision's ``ResNet18_Weights.IMAGENET1K_V1.transforms()``: resize the shorter side
    to 256, antialiased bilinear, and crop the centre. Resizing only the source region that survives the crop
    gives the same pixels to within 1 of 255, several times faster.
    """
    height, width, _ = rgb.shape
    # As torchvision rounds: the longer side down, the offset of the crop to nearest, half to even.
    resized_width = RESIZE_SIDE if width <= height else int(RESIZE_SIDE * width / height)
    resized_height = RESIZE_SIDE if height <= width else int(RESIZE_SIDE * height / width)
    left = round((resized_width - MODEL_INPUT_SIDE) / 2)
    top = round((resized_height - MODEL_INPUT_SIDE) / 2)
    x_scale, y_scale = width / resized_width, height / resized_height
    box = (
        left * x_scale,
        top * y_scale,
        (left + MODEL_INPUT_SIDE) * x_scale,
        (top + MODEL_INPUT_SIDE) * y_scale,
    )
    size = (MODEL_INPUT_SIDE, MODEL_INPUT_SIDE)
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR, box=box))


def to_thumbnail(rgb: NDArray[np.uint8], side: int) -> bytes:
    """A JPEG of uint8 ``[H, W, 3]`` whose longer side is at most ``side`` pixels; never enlarged."""
    image = Image.fromarray(rgb)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def encode_png(rgb: NDArray[np.uint8]) -> bytes:
    """A PNG of uint8 ``[H, W, 3]``, compressed for speed rather than size.

    Level 1 with run-length matching and one fixed filter takes 4 ms for a 500x375 photo instead of 14 ms
    (level 1 alone), and 7% more bytes.
    """
    png = imagecodecs.PNG
    return bytes(imagecodecs.png_encode(rgb, level=1, strategy=png.STRATEGY.RLE, filter=png.FILTER.SUB))


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
