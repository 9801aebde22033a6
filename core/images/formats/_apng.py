"""Animated PNGs (PNG specification, third edition, 12.2): each frame as it is shown, over those before it.

The part of the picture that a frame brings is decoded as a PNG of its own, by the same reader under the same checks.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ImageError
from core.images.formats import _png_parts as png
from core.images.formats._animation import Animations
from core.images.formats._remembered import Remembered
from core.images.formats.format import FileReader, Pixels

HEAD_BYTES = (512, 64 * 1024, 4 * 1024 * 1024)  # looked through for an announcement, until the image data begins
_ANNOUNCED, _CONTROL, _FRAME_DATA = b"acTL", b"fcTL", b"fdAT"
_TO_BACKGROUND, _TO_PREVIOUS = 1, 2  # what becomes of a frame's part before the next: table 23
_OVER = 1  # how a part is laid on what was there: table 24
_CONTROL_BYTES = 26

Canvas = NDArray[Any]
"""RGBA ``[H, W, 4]``, uint8 or uint16."""
Decode = Callable[[bytes], Pixels]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The part of the picture that changes, and where in the file its data is: start and end of each piece."""

    width: int
    height: int
    left: int
    top: int
    dispose: int
    blend: int
    is_image: bool
    data: list[tuple[int, int]] = field(default_factory=list)


def is_animated(file: FileReader, head: bytes) -> bool:
    """Whether an animation is announced before the image data; ``head`` is the file's first ``HEAD_BYTES[0]``."""
    for count in HEAD_BYTES:
        if count > HEAD_BYTES[0]:
            head = file.read(0, count)
        position = png.HEADER_BYTES
        while position + 8 <= len(head):
            length, kind = struct.unpack_from(">L4s", head, position)
            if kind in (_ANNOUNCED, b"IDAT"):
                return bool(kind == _ANNOUNCED)
            position += 12 + length
        if len(head) < count:
            break
    return False


def count_frames(file: FileReader) -> int:
    """How many there are; 0 where the image itself is all there is.

    Raises:
        ImageError: damaged or cut short.
    """
    return len(_FRAMES.get(file.key, lambda: _animation(file.read())))


def decode_frame(file: FileReader, frame: int, decode: Decode) -> Pixels:
    """RGBA ``[H, W, 4]`` as it is shown; ``decode`` decodes a PNG.

    Raises:
        ImageError: damaged or cut short.
    """
    data = file.read()
    frames = _FRAMES.get(file.key, lambda: _animation(data))
    header = png.read_header(data)
    found = _CANVASES.take(file.key, frame)
    dtype = np.uint16 if header.bit_depth == 16 else np.uint8
    start, below = found or (0, np.zeros((header.height, header.width, 4), dtype))
    for number in range(start, frame + 1):
        shown, below = _draw(below, frames[number], decode(_as_png(data, header, frames[number])))
    _CANVASES.leave(file.key, frame + 1, below, 0, header.pixels)  # its file is read again
    return shown


_FRAMES: Remembered[list[_Frame]] = Remembered()
_CANVASES: Animations[Canvas] = Animations()


def _animation(data: bytes) -> list[_Frame]:
    frames = list(_frames(data))
    return [] if len(frames) == 1 and frames[0].is_image else frames


def _frames(data: bytes) -> Iterator[_Frame]:
    header = png.read_header(data)
    current: _Frame | None = None
    behind_image = False
    position = png.HEADER_BYTES
    for _ in range(png.MAX_CHUNKS):
        if position + 12 > len(data):
            raise ImageError(png.TRUNCATED)
        length, kind = struct.unpack_from(">L4s", data, position)
        start, end = position + 8, position + 8 + length
        position = end + 4
        if position > len(data):
            raise ImageError(png.TRUNCATED)
        if kind in (_CONTROL, b"IEND"):
            if current is not None:
                if not current.data:
                    raise ImageError(png.DAMAGED)
                yield current
            if kind == b"IEND":
                return
            current = _control(data[start:end], header, is_image=not behind_image)
        elif kind == b"IDAT":
            behind_image = True
            if current is not None:
                current.data.append((start, end))
        elif kind == _FRAME_DATA and current is not None and length > 4:
            current.data.append((start + 4, end))
    raise ImageError(png.TOO_MANY_CHUNKS)


def _control(content: bytes, header: png.PngHeader, *, is_image: bool) -> _Frame:
    if len(content) != _CONTROL_BYTES:
        raise ImageError(png.DAMAGED)
    width, height, left, top, dispose, blend = struct.unpack(">4x4L4x2B", content)
    if not (width and height and left + width <= header.width and top + height <= header.height):
        raise ImageError(png.DAMAGED)
    if dispose > _TO_PREVIOUS or blend > _OVER:
        raise ImageError(png.DAMAGED)
    return _Frame(width, height, left, top, dispose, blend, is_image)


def _as_png(data: bytes, header: png.PngHeader, frame: _Frame) -> bytes:
    size = struct.pack(">2I5B", frame.width, frame.height, header.bit_depth, header.color_type, 0, 0, header.interlaced)
    beside = (part for kind in (b"PLTE", b"tRNS") for part in _beside(data, kind))
    packed = b"".join(data[start:end] for start, end in frame.data)
    return b"".join(
        (png.SIGNATURE, *png.chunk(b"IHDR", size), *beside, *png.chunk(b"IDAT", packed), *png.chunk(b"IEND", b""))
    )


def _beside(data: bytes, wanted: bytes) -> Iterator[bytes]:
    """The first chunk of this kind before the image data, whole."""
    position = png.HEADER_BYTES
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">L4s", data, position)
        if kind == wanted:
            yield data[position : position + 12 + length]
        if kind in (wanted, b"IDAT"):
            return
        position += 12 + length


def _draw(below: Canvas, frame: _Frame, part: Pixels) -> tuple[Canvas, Canvas]:
    """What is shown, and what the next frame is laid on."""
    place = slice(frame.top, frame.top + frame.height), slice(frame.left, frame.left + frame.width)
    shown = below.copy()
    shown[place] = _over(below[place], _rgba(part)) if frame.blend == _OVER else _rgba(part)
    if frame.dispose == _TO_PREVIOUS:
        return shown, below
    after = shown
    if frame.dispose == _TO_BACKGROUND:
        after = shown.copy()
        after[place] = 0
    return shown, after


def _rgba(pixels: Pixels) -> Canvas:
    highest = np.iinfo(pixels.dtype).max
    height, width, channels = pixels.shape
    rgba = np.full((height, width, 4), highest, pixels.dtype)
    if channels in (2, 4):
        rgba[..., 3] = pixels[..., -1]
    rgba[..., :3] = pixels[..., : 1 if channels <= 2 else 3]
    return rgba


def _over(below: Canvas, part: Canvas) -> Canvas:
    """``part`` over ``below``, both RGBA whose colours are not multiplied with alpha."""
    highest = np.iinfo(part.dtype).max
    if (part[..., 3] == highest).all():
        return part
    alpha, alpha_below = (canvas[..., 3:].astype(np.float32) / highest for canvas in (part, below))
    rest = alpha_below * (1 - alpha)
    total = alpha + rest
    colours = (part[..., :3] * alpha + below[..., :3] * rest) / np.where(total > 0, total, 1)
    blended = np.concatenate([colours, total * highest], axis=2)
    whole: Canvas = np.rint(blended).astype(part.dtype)
    return whole
