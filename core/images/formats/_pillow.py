"""Pillow as a decoder, of files whose headers have been read and checked before."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from core.base.errors import ImageError
from core.images.formats.format import Pixels

# Sizes are checked by the header of each file, and may be larger than Pillow allows by itself.
Image.MAX_IMAGE_PIXELS = None

# What becomes of the modes that are none of the samples that a frame may have.
_CONVERTED = {"1": "L", "RGBX": "RGB", "RGBa": "RGBA", "La": "LA", "PA": "RGBA", "YCbCr": "RGB"}


def open_image(data: bytes, plugin: str) -> Image.Image:
    """The image of a file, read by the reader of this name and no other; raises what Pillow raises."""
    return Image.open(io.BytesIO(data), formats=[plugin])


@contextmanager
def refusing(sentence: str) -> Iterator[None]:
    """Turn whatever Pillow's readers raise, which is what any of their parts raises, into an ImageError."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(sentence) from error


def to_pixels(image: Image.Image) -> Pixels:
    """The samples ``[H, W, C]`` of an image; a palette becomes RGB, or RGBA where some of it is transparent.

    Raises:
        ImageError: of a kind that has no such samples.
    """
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode in _CONVERTED:
        image = image.convert(_CONVERTED[image.mode])
    if image.mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
        raise ImageError("Stored in a way that cannot be read; export it as PNG or TIFF.")
    pixels: Pixels = np.asarray(image)
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
