"""Pillow as a decoder, of files whose headers have been read and checked before."""

from __future__ import annotations

import io

from PIL import Image

# Sizes are checked by the header of each file, and may be larger than Pillow allows by itself.
Image.MAX_IMAGE_PIXELS = None


def open_image(data: bytes, plugin: str) -> Image.Image:
    """The image of a file, read by the reader of this name and no other; raises what Pillow raises."""
    return Image.open(io.BytesIO(data), formats=[plugin])
