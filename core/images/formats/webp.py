"""The WebP format, lossy and lossless, decoded by Pillow with libwebp; the frames of an animation as they are shown."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

from core.base.errors import ImageError
from core.images.formats._animation import check_animation
from core.images.formats._orientation import UPRIGHT, is_turned, read_orientation, turn
from core.images.formats._pillow import refusing
from core.images.formats._pillow_frames import PillowFrames
from core.images.formats.format import ColorKind, FileReader, ImageHeader, Pixels, check_size

HEAD_BYTES = 30  # RIFF header, and as much of the first chunk as has width and height
DAMAGED = "The WebP is damaged; copy or export it again."
TRUNCATED = "The WebP ends too early; copy or export it again."

_ANIMATED, _EXIF, _ALPHA = 0x02, 0x08, 0x10  # RFC 9649, 2.7: flags of the extended format
_START_CODE = b"\x9d\x01\x2a"  # RFC 6386, 9.1: what stands before width and height
_LOSSLESS_MARK = 0x2F  # RFC 9649, 3.4
_FRAMES = PillowFrames("WEBP")


class WebP:
    """WebP as one of the formats."""

    name = "WebP"
    extensions = (".webp",)
    media_type = "image/webp"
    head_bytes = 12
    reads_parts = False
    names_people = False

    def matches(self, head: bytes) -> bool:
        """See ``ImageFormat.matches``."""
        return head[:4] == b"RIFF" and head[8:12] == b"WEBP"

    def read_headers(self, file: FileReader) -> Iterator[ImageHeader]:
        """See ``ImageFormat.read_headers``."""
        header, animated = _read_header(file.read(0, HEAD_BYTES), file.size)
        if not animated:
            turned = is_turned(_orientation(file))
            yield replace(header, width=header.height, height=header.width) if turned else header
            return
        number = 0
        for _ in (kind for kind, *_ in _chunks(file.read()) if kind == b"ANMF"):
            number += 1
            check_animation(header, number)
            yield ImageHeader(header.width, header.height, 8, header.color, f"frame {number}")
        if not number:
            raise ImageError(DAMAGED)

    def decode(
        self, file: FileReader, frame: int = 0, *, max_pixels: int, at_least: tuple[int, int] | None = None
    ) -> Pixels:
        """See ``ImageFormat.decode``; always the full size."""
        header, animated = _read_header(file.read(0, HEAD_BYTES), file.size)
        check_size(header, max_pixels)
        with refusing(DAMAGED):
            pixels = _FRAMES.decode(file, frame, header.color)
        if pixels.shape[:2] != (header.height, header.width):
            raise ImageError(DAMAGED)
        return pixels if animated else turn(pixels, _orientation(file))


FORMAT = WebP()


def _read_header(head: bytes, file_size: int) -> tuple[ImageHeader, bool]:
    """Size and colours, and whether it is an animation."""
    if not FORMAT.matches(head):
        raise ImageError("The file is not a WebP image; export it as WebP.")
    if len(head) < HEAD_BYTES:
        raise ImageError(TRUNCATED)
    (size,) = struct.unpack_from("<L", head, 4)
    if size + 8 > file_size:
        raise ImageError(TRUNCATED)
    kind, body = head[12:16], head[20:]
    color: ColorKind = "RGB"
    animated = False
    if kind == b"VP8X":
        animated, color = bool(body[0] & _ANIMATED), "RGBA" if body[0] & _ALPHA else "RGB"
        width, height = (int.from_bytes(body[start : start + 3], "little") + 1 for start in (4, 7))
    elif kind == b"VP8L" and body[0] == _LOSSLESS_MARK:
        (bits,) = struct.unpack_from("<L", body, 1)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        color = "RGBA" if bits >> 28 & 1 else "RGB"
    elif kind == b"VP8 " and body[3:6] == _START_CODE:
        width, height = (number & 0x3FFF for number in struct.unpack_from("<HH", body, 6))
    else:
        raise ImageError(DAMAGED)
    if not width or not height:
        raise ImageError(DAMAGED)
    return ImageHeader(width, height, 8, color), animated


def _orientation(file: FileReader) -> int:
    """How a still picture is to be turned; what says it stands behind the pixels, where it is announced."""
    head = file.read(0, HEAD_BYTES)
    if head[12:16] != b"VP8X" or not head[20] & _EXIF:
        return UPRIGHT
    data = file.read()
    exif = next((data[start:end] for kind, start, end in _chunks(data) if kind == b"EXIF"), b"")
    return read_orientation(exif.removeprefix(b"Exif\0\0"))


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each part of a file."""
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sL", data, position)
        if position + 8 + length > len(data):
            raise ImageError(TRUNCATED)
        yield kind, position + 8, position + 8 + length
        position += 8 + length + length % 2
