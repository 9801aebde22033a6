"""How much memory an image takes while something is done with it, by what its header says."""

from __future__ import annotations

from core.images.formats.format import ImageHeader

# Samples a pixel may come to have: any kind without alpha can have a transparent colour beside the header.
_SAMPLES = {"grey": 2, "grey + alpha": 2, "RGB": 4, "RGBA": 4, "palette": 4}
_PICTURE_BYTES = 7  # a pixel as 8-bit RGB, and as Pillow keeps it


def file_bytes(file_size: int) -> int:
    """To hand out a file, or to leave parts of it out: it and a copy, in bytes."""
    return 2 * file_size


def decoding_bytes(header: ImageHeader, file_size: int) -> int:
    """To decode a frame and make something of it (RGB, a picture, samples to send), in bytes.

    The file and its compressed data; two copies of the samples; one more as 8-bit RGB and as a Pillow image.
    """
    sample_bytes = 2 if header.bit_depth > 8 else 1
    return file_bytes(file_size) + header.pixels * (2 * _SAMPLES[header.color] * sample_bytes + _PICTURE_BYTES)
