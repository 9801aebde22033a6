"""How much memory and work an image takes while something is done with it, by what its header says."""

from __future__ import annotations

from core.images.formats.format import ImageFormat, ImageHeader, Size, decoded_header
from core.images.strips import is_large, strip_bytes

# Samples a pixel may come to have: any kind without alpha can have a transparent colour beside the header.
_SAMPLES = {"grey": 2, "grey + alpha": 2, "RGB": 4, "RGBA": 4, "palette": 4, "CMYK": 4}
_PICTURE_BYTES = 7  # a pixel as 8-bit RGB, and as Pillow keeps it


def file_bytes(file_size: int) -> int:
    """To hand out a file, or to leave parts of it out: it and a copy, in bytes."""
    return 2 * file_size


def decoding_bytes(image_format: ImageFormat, header: ImageHeader, file_size: int) -> int:
    """To decode a frame and make something of it (RGB, a picture, samples to send), in bytes."""
    in_strips = strip_bytes(image_format, header) if is_large(header) else None
    return whole_bytes(header, file_size) if in_strips is None else in_strips


def preparing_bytes(image_format: ImageFormat, header: ImageHeader, file_size: int, at_least: Size) -> int:
    """The same where a frame of ``at_least`` this width and height is enough."""
    smaller = decoded_header(image_format, header, at_least)
    if smaller.pixels == header.pixels:
        return decoding_bytes(image_format, header, file_size)
    return whole_bytes(smaller, file_size) + header.working_bytes


def whole_bytes(header: ImageHeader, file_size: int) -> int:
    """The same in one piece, which is in proportion to the work it is, in strips too.

    The file and its compressed data; two copies of the samples; one more as 8-bit RGB and as a Pillow image.
    """
    of_pixel = 2 * _SAMPLES[header.color] * header.dtype.itemsize + _PICTURE_BYTES
    return file_bytes(header.stored_bytes(file_size)) + header.working_bytes + header.pixels * of_pixel


def sample_bytes(header: ImageHeader) -> int:
    """All samples of a frame, at most, in bytes."""
    return header.pixels * _SAMPLES[header.color] * header.dtype.itemsize
