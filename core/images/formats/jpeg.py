"""The JPEG format: 8 and 12 bits, lossless, progressive, grey, colour and CMYK; upright, and in smaller sizes.

A file is taken apart before a library sees it, so that it gets one whole image of the size that the header says, and
neither previews nor text. The compressed data has no checksums: what is damaged in it may show as wrong colours.

Two libraries decode, both with libjpeg-turbo: imagecodecs in the full size (1.1 ms for a photo of 500x375, Pillow 1.4,
which also reads no 12 bits and nothing lossless), and Pillow in a half, a quarter or an eighth of it, which imagecodecs
does not know. 12 megapixels take 97 ms in full size, and 46, 20 and 17 ms in those.
"""

from __future__ import annotations

import imagecodecs
import numpy as np

from core.base.errors import ImageError
from core.images.formats import _jpeg_parts as parts
from core.images.formats._jpeg_parts import JpegHeader
from core.images.formats._orientation import turn
from core.images.formats._pillow import open_image
from core.images.formats.format import FileReader, ImageHeader, Pixels, Size, by_strips, check_size

HEAD_BYTES = (4 * 1024, 64 * 1024, 1024 * 1024, 16 * 1024 * 1024)  # read for the header, until it is all there


class Jpeg:
    """JPEG as one of the formats."""

    name = "JPEG"
    extensions = (".jpg", ".jpeg", ".jpe", ".jfif")
    media_type = "image/jpeg"
    head_bytes = len(parts.SIGNATURE)
    reads_parts = False
    names_people = False

    def matches(self, head: bytes) -> bool:
        """See ``ImageFormat.matches``."""
        return head.startswith(parts.SIGNATURE)

    def read_headers(self, file: FileReader) -> tuple[JpegHeader]:
        """See ``ImageFormat.read_headers``."""
        for count in HEAD_BYTES:
            head = file.read(0, count)
            try:
                return (parts.read_header(head),)
            except parts.TooShort as error:
                if len(head) < count:
                    raise ImageError(parts.TRUNCATED) from error
        raise ImageError(parts.DAMAGED)

    def decode(self, file: FileReader, frame: int = 0, *, max_pixels: int, at_least: Size | None = None) -> Pixels:
        """See ``ImageFormat.decode``."""
        data = file.read()
        header = _header(data)
        check_size(header, max_pixels)
        scale = parts.scale_for(header, at_least) if at_least else 1
        whole = parts.rebuild(data, header)
        try:
            pixels = _decode_scaled(whole, header, scale) if scale > 1 else imagecodecs.jpeg8_decode(whole)
        except (RuntimeError, ValueError, OSError) as error:  # imagecodecs' errors are the first, Pillow's the last two
            raise ImageError(parts.DAMAGED) from error
        if pixels.ndim == 2:
            pixels = pixels[..., np.newaxis]
        if header.color == "CMYK":
            pixels = _cmyk_to_rgb(pixels)
        upright = turn(pixels, header.orientation)
        width, height = _divided((header.width, header.height), scale)
        if upright.shape != (height, width, 1 if header.color == "grey" else 3):
            raise ImageError(parts.DAMAGED)
        return upright

    def decoded_size(self, header: ImageHeader, at_least: Size) -> Size:
        """See ``FormatInSizes.decoded_size``."""
        assert isinstance(header, JpegHeader)  # noqa: S101 - read_headers gives no other
        return _divided((header.width, header.height), parts.scale_for(header, at_least))

    def browsers_show(self, header: ImageHeader) -> bool:
        """See ``FormatForBrowsers.browsers_show``."""
        return isinstance(header, JpegHeader) and header.is_common

    def for_browser(self, file: FileReader, frame: int = 0) -> bytes:
        """See ``FormatForBrowsers.for_browser``; browsers turn it upright themselves."""
        data = file.read()
        return parts.rebuild(data, _header(data))


FORMAT = Jpeg()


def _header(data: bytes) -> JpegHeader:
    try:
        return parts.read_header(data)
    except parts.TooShort as error:
        raise ImageError(parts.TRUNCATED) from error


def _divided(size: Size, scale: int) -> Size:
    return -(-size[0] // scale), -(-size[1] // scale)


def _decode_scaled(data: bytes, header: JpegHeader, scale: int) -> Pixels:
    with open_image(data, "JPEG") as image:
        width, height = parts.stored_size(header)
        image.draft(None, (width // scale, height // scale))
        pixels: Pixels = np.asarray(image)
    return 255 - pixels if header.color == "CMYK" else pixels  # Pillow turns the inks of CMYK over


def _cmyk_to_rgb(pixels: Pixels) -> Pixels:
    """Inks as all programs write them, 255 for none: what of the light each leaves, multiplied."""

    def left(strip: Pixels) -> Pixels:
        inks = strip.astype(np.uint16)
        light: Pixels = (inks[..., :3] * inks[..., 3:] + 127) // 255
        return light

    return by_strips(pixels, np.uint8, left, channels=3)
