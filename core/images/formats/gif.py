"""The GIF format, decoded by Pillow: the frames of an animation as they are shown, each over those before it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from core.base.errors import ImageError
from core.images.formats._animation import check_animation
from core.images.formats._pillow import refusing
from core.images.formats._pillow_frames import PillowFrames
from core.images.formats._remembered import Remembered
from core.images.formats.format import FileReader, ImageHeader, Pixels, Size, check_size

SIGNATURES = (b"GIF87a", b"GIF89a")
DAMAGED = "The GIF is damaged; copy or export it again."
TRUNCATED = "The GIF ends too early; copy or export it again."

_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B  # GIF89a specification, appendix A: what a block begins with
_SCREEN_BYTES = 13  # signature and logical screen descriptor
_FRAMES = PillowFrames("GIF")
_SIZES: Remembered[list[Size]] = Remembered()


class Gif:
    """GIF as one of the formats."""

    name = "GIF"
    extensions = (".gif",)
    media_type = "image/gif"
    head_bytes = 6
    reads_parts = False
    names_people = False

    def matches(self, head: bytes) -> bool:
        """See ``ImageFormat.matches``."""
        return head.startswith(SIGNATURES)

    def read_headers(self, file: FileReader) -> Iterator[ImageHeader]:
        """See ``ImageFormat.read_headers``. Where the frames are is only known by going through the file."""
        for number, (width, height) in enumerate(_SIZES.get(file.key, lambda: _frames(file.read())), 1):
            yield ImageHeader(width, height, 8, "palette", f"frame {number}")

    def decode(
        self, file: FileReader, frame: int = 0, *, max_pixels: int, at_least: tuple[int, int] | None = None
    ) -> Pixels:
        """See ``ImageFormat.decode``: RGBA, RGB where nothing is transparent; always the full size."""
        width, height = _SIZES.get(file.key, lambda: _frames(file.read()))[frame]
        check_size(ImageHeader(width, height, 8, "palette"), max_pixels)
        with refusing(DAMAGED):
            pixels = _FRAMES.decode(file, frame, "RGBA")
        if pixels.shape[:2] != (height, width):
            raise ImageError(DAMAGED)
        return pixels if (pixels[..., 3] < 255).any() else pixels[..., :3]


FORMAT = Gif()


def _frames(data: bytes) -> list[Size]:
    """The size of the picture at each frame: one that reaches beyond the screen makes it larger from then on.

    Raises:
        ImageError: not a GIF, without a frame, damaged, or cut short before its end.
    """
    if not data.startswith(SIGNATURES):
        raise ImageError("The file is not a GIF image; export it as GIF.")
    if len(data) < _SCREEN_BYTES:
        raise ImageError(TRUNCATED)
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = _SCREEN_BYTES + _table_bytes(flags)
    found: list[Size] = []
    while True:
        kind = _byte(data, position)
        if kind == _END and found:
            return found
        if kind == _EXTENSION:
            position = _behind_blocks(data, position + 2)
        elif kind == _IMAGE and position + 10 <= len(data):
            left, top, columns, rows, flags = struct.unpack_from("<4HB", data, position + 1)
            width, height = max(width, left + columns), max(height, top + rows)
            if not columns or not rows:
                raise ImageError(DAMAGED)
            position = _behind_blocks(data, position + 10 + _table_bytes(flags) + 1)
            found.append((width, height))
            check_animation(ImageHeader(width, height, 8, "palette"), len(found))
        elif kind in (_IMAGE, _END):
            raise ImageError(TRUNCATED)
        else:
            position += 1  # as all programs pass over what stands between blocks


def _table_bytes(flags: int) -> int:
    """Of a colour table, if there is one."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _behind_blocks(data: bytes, position: int) -> int:
    """Where a chain of sub-blocks, each with its length before it, is over."""
    while length := _byte(data, position):
        position += length + 1
    return position + 1


def _byte(data: bytes, position: int) -> int:
    if position >= len(data):
        raise ImageError(TRUNCATED)
    return data[position]
