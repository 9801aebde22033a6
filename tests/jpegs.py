"""JPEG files of every kind, whole and broken."""

from __future__ import annotations

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from tests.pictures import Array, Kind, opened, picture, saved


def _jpeg(image: Image.Image | Array, description: str, **options: Any) -> Kind:
    data = saved(image, "JPEG", **options)
    return Kind(data, description, [opened(data)])


def _cmyk() -> Kind:
    image = Image.fromarray(picture(channels=4), "CMYK")
    data = saved(image, "JPEG", quality=95)
    with Image.open(io.BytesIO(data)) as reopened:
        return Kind(data, "8-bit CMYK", [np.asarray(reopened.convert("RGB"))], off_by=1)


def _deep(bits: int, channels: int, *, lossless: bool) -> Kind:
    samples = picture(channels=channels).astype(np.uint16) << (bits - 8)
    flat = samples[..., 0] if channels == 1 else samples
    options = {} if channels == 1 else {"subsampling": "444"}
    data = bytes(imagecodecs.jpeg8_encode(flat, level=100, bitspersample=bits, lossless=lossless, **options))
    color = "grey" if channels == 1 else "RGB"
    return Kind(data, f"{bits}-bit {color}", [samples], off_by=0 if lossless else 1 << (bits - 6))


def _jpeg_kinds() -> dict[str, Kind]:
    photo, grey = picture(), picture(channels=1)
    lossless = bytes(imagecodecs.jpeg8_encode(photo, lossless=True))
    return {
        "baseline": _jpeg(photo, "8-bit RGB", quality=90),
        "progressive": _jpeg(photo, "8-bit RGB", quality=90, progressive=True),
        "grey": _jpeg(grey, "8-bit grey"),
        "grey progressive": _jpeg(grey, "8-bit grey", progressive=True),
        "4:4:4": _jpeg(photo, "8-bit RGB", subsampling=0),
        "4:2:2": _jpeg(photo, "8-bit RGB", subsampling=1),
        "stored as RGB": _jpeg(photo, "8-bit RGB", keep_rgb=True),
        "restart markers": _jpeg(photo, "8-bit RGB", restart_marker_blocks=2),
        "optimized tables": _jpeg(photo, "8-bit RGB", optimize=True),
        "one pixel": _jpeg(picture(1, 1), "8-bit RGB"),
        "odd size": _jpeg(picture(17, 9), "8-bit RGB"),
        "with a profile and a preview": _jpeg(photo, "8-bit RGB", icc_profile=bytes(70_000), comment=b"x" * 5000),
        "CMYK": _cmyk(),
        "12 bits": _deep(12, 1, lossless=False),
        "12 bits colour": _deep(12, 3, lossless=False),
        "lossless": Kind(lossless, "8-bit RGB", [photo]),
        "lossless 12 bits": _deep(12, 1, lossless=True),
        "lossless 16 bits": _deep(16, 1, lossless=True),
    }


JPEG_KINDS = _jpeg_kinds()


def segment(marker: int, content: bytes) -> bytes:
    """One segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def jpeg_frame(width: int, height: int, depth: int = 8, components: int = 3, marker: int = 0xC0) -> bytes:
    """A frame header (SOF) of any numbers."""
    parts = b"".join(bytes((number + 1, 0x11, 0)) for number in range(components))
    return segment(marker, struct.pack(">BHHB", depth, height, width, components) + parts)


def _broken_jpegs() -> dict[str, bytes]:
    whole = saved(picture(), "JPEG", quality=90)
    frame = whole.index(b"\xff\xc0")
    scan = whole.index(b"\xff\xda")
    rest = whole[scan:]
    before = whole[:frame]
    sized = whole[:frame] + jpeg_frame(3000, 3000) + whole[frame + 19 :]
    return {
        "empty": b"",
        "signature only": b"\xff\xd8\xff",
        "text": b"This is no image, whatever its name says.",
        "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(60),
        "no end": whole[:-2],
        "cut off in the data": whole[: scan + 40],
        "cut off in the tables": whole[:100],
        "cut off in the frame header": whole[: frame + 8],
        "no frame": before + rest,
        "no scan": whole[:scan] + b"\xff\xd9",
        "two frames": whole[: frame + 19] + jpeg_frame(40, 30) + whole[frame + 19 :],
        "a frame behind the scan": whole[:-2] + jpeg_frame(40, 30) + b"\xff\xd9",
        "no width": before + jpeg_frame(0, 30) + whole[frame + 19 :],
        "height that comes later": before + jpeg_frame(40, 0) + whole[frame + 19 :],
        "9 bits": before + jpeg_frame(40, 30, 9) + whole[frame + 19 :],
        "2 components": before + jpeg_frame(40, 30, 8, 2) + whole[frame + 19 :],
        "hierarchical": before + jpeg_frame(40, 30, marker=0xC5) + whole[frame + 19 :],
        "frame header of a wrong length": before + segment(0xC0, b"\x08\0\x1e\0\x28\x03") + whole[frame + 19 :],
        "more pixels than the data can hold": sized,
        "65 scans": whole[:-2] + (rest[: rest.index(b"\x3f\0") + 2] + b"\0") * 65 + b"\xff\xd9",
        "an unknown marker": whole[:-2] + segment(0xF0, b"?") + b"\xff\xd9",
        "segment of no length": whole[:20] + b"\xff\xe5\0\0" + whole[20:],
        "huffman table beyond its segment": whole[:20] + segment(0xC4, b"\0" + b"\xff" * 16) + whole[20:],
    }


BROKEN_JPEGS = _broken_jpegs()
