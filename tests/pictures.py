"""Image files of all formats but PNG, made in code: kinds with what they must decode to, and ways to break them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

Array = np.ndarray[Any, Any]


def picture(width: int = 40, height: int = 30, channels: int = 3, seed: int = 0) -> Array:
    """uint8 ``[H, W, C]``: smooth, as photos are, so that lossy formats keep it well."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 5, channels)).astype(np.uint8)
    bands = [
        np.asarray(Image.fromarray(small[..., band]).resize((width, height), Image.Resampling.BICUBIC))
        for band in range(channels)
    ]
    return np.stack(bands, axis=2)


def saved(image: Image.Image | Array, kind: str, **options: Any) -> bytes:
    """The file that Pillow writes of an image, or of uint8 ``[H, W, C]`` with 1, 3 or 4 (RGBA) channels."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Array:
    """What Pillow decodes, ``[H, W, C]``."""
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image)
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


@dataclass(frozen=True)
class Kind:
    """A file, the words for its frames, and the samples ``[H, W, C]`` of each; ``off_by`` at most."""

    data: bytes = field(repr=False)
    description: str
    frames: list[Array] = field(repr=False)
    off_by: int = 0


def _animation(frames: list[Array], kind: str, **options: Any) -> bytes:
    first, *others = [Image.fromarray(frame) for frame in frames]
    return saved(first, kind, save_all=True, append_images=others, duration=50, **options)


def _moving(channels: int = 3) -> list[Array]:
    """Frames of which each changes a part of the one before."""
    frames = [picture(channels=channels)]
    if channels == 4:
        frames[0][..., 3] = 255
    for number in range(1, 5):
        frame = frames[-1].copy()
        frame[4 * number : 4 * number + 6, 5 * number : 5 * number + 9, :3] = (250, 10 * number, 60)
        frames.append(frame)
    return frames


def _gif_kinds() -> dict[str, Kind]:
    few = [np.asarray(Image.fromarray(frame).quantize(16).convert("RGB")) for frame in _moving()]
    see_through = Image.fromarray(few[0]).quantize(16)
    one = saved(see_through, "GIF", transparency=3)
    return {
        "still": Kind(saved(Image.fromarray(few[0]).quantize(16), "GIF"), "8-bit palette", few[:1]),
        "interlaced": Kind(saved(Image.fromarray(few[0]).quantize(16), "GIF", interlace=1), "8-bit palette", few[:1]),
        "transparent": Kind(one, "8-bit palette", [np.asarray(Image.open(io.BytesIO(one)).convert("RGBA"))]),
        "animation": Kind(_animation(few, "GIF"), "8-bit palette", few),
    }


GIF_KINDS = _gif_kinds()


def _webp_kinds() -> dict[str, Kind]:
    photo, clear, moving = picture(), picture(channels=4), _moving()
    exif = Image.Exif()
    exif[0x0112] = 6
    lossy = saved(photo, "WEBP", quality=90)
    return {
        "lossless": Kind(saved(photo, "WEBP", lossless=True), "8-bit RGB", [photo]),
        "lossless transparent": Kind(saved(clear, "WEBP", lossless=True, exact=True), "8-bit RGBA", [clear]),
        "lossy": Kind(lossy, "8-bit RGB", [opened(lossy)]),
        "turned": Kind(saved(photo, "WEBP", lossless=True, exif=exif), "8-bit RGB", [np.rot90(photo, -1)]),
        "animation": Kind(_animation(moving, "WEBP", lossless=True), "8-bit RGBA", moving),
    }


WEBP_KINDS = _webp_kinds()


def _apng_kinds() -> dict[str, Kind]:
    moving = _moving(4)
    return {
        f"dispose {dispose} blend {blend}": Kind(
            _animation(moving, "PNG", disposal=dispose, blend=blend), "8-bit RGBA", moving
        )
        for dispose in (0, 1)  # Pillow writes the third way as nobody reads it
        for blend in (0, 1)
    }


APNG_KINDS = _apng_kinds()


def _bmp_kinds() -> dict[str, Kind]:
    photo, grey = picture(), picture(channels=1)
    indexed = Image.fromarray(photo).quantize(32)
    return {
        "24 bits": Kind(saved(photo, "BMP"), "8-bit RGB", [photo]),
        "8 bits grey": Kind(saved(grey, "BMP"), "8-bit palette", [grey]),
        "palette": Kind(saved(indexed, "BMP"), "8-bit palette", [np.asarray(indexed.convert("RGB"))]),
        "1 bit": Kind(
            saved(Image.fromarray(grey[..., 0] > 99), "BMP"), "1-bit palette", [(grey > 99).astype(np.uint8) * 255]
        ),
    }


BMP_KINDS = _bmp_kinds()


def _pnm_kinds() -> dict[str, Kind]:
    photo, grey = picture(9, 5), picture(9, 5, 1)
    bits = (grey > 99).astype(np.uint8)
    deep = grey.astype(np.uint16) * 16
    text = " ".join(map(str, photo.ravel()))
    black = "".join(map(str, 1 - bits.ravel()))
    return {
        "P1": Kind(f"P1 # comment\n9 5\n{black}\n".encode(), "1-bit grey", [bits * 255]),
        "P2": Kind(f"P2\n9 5 15\n{' '.join(map(str, grey.ravel() // 17))}".encode(), "4-bit grey", [grey // 17 * 17]),
        "P3": Kind(f"P3\n# a\n#b\n9 5\n255\n{text}\n".encode(), "8-bit RGB", [photo]),
        "P4": Kind(b"P4 9 5\n" + np.packbits(1 - bits[..., 0], axis=1).tobytes(), "1-bit grey", [bits * 255]),
        "P5": Kind(b"P5\n9 5\n255\n" + grey.tobytes(), "8-bit grey", [grey]),
        "P5 12 bits": Kind(b"P5 9 5 4095\n" + deep.astype(">u2").tobytes(), "12-bit grey", [deep]),
        "P6": Kind(b"P6\n#x\n9 5 255\n" + photo.tobytes(), "8-bit RGB", [photo]),
        "P6 16 bits": Kind(
            b"P6 9 5 65535\n" + (photo.astype(">u2") * 257).tobytes(), "16-bit RGB", [photo * np.uint16(257)]
        ),
    }


PNM_KINDS = _pnm_kinds()


def _jpeg2000_kinds() -> dict[str, Kind]:
    photo, grey, clear = picture(), picture(channels=1), picture(channels=4)
    deep, low = grey.astype(np.uint16) << 4, grey >> 4

    def packed(pixels: Array, **options: Any) -> bytes:
        flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
        return bytes(imagecodecs.jpeg2k_encode(flat, reversible=True, **options))

    return {
        "RGB": Kind(packed(photo), "8-bit RGB", [photo]),
        "codestream": Kind(packed(photo, codecformat="j2k"), "8-bit RGB", [photo]),
        "grey": Kind(packed(grey), "8-bit grey", [grey]),
        "RGBA": Kind(packed(clear), "8-bit RGBA", [clear]),
        "12 bits": Kind(packed(deep, bitspersample=12), "12-bit grey", [deep]),
        "16 bits": Kind(packed(deep * 16 + 15), "16-bit grey", [deep * 16 + 15]),
        "4 bits": Kind(packed(low, bitspersample=4), "4-bit grey", [low * 17]),
        "from Pillow": Kind(saved(photo, "JPEG2000", irreversible=False), "8-bit RGB", [photo]),
    }


JPEG2000_KINDS = _jpeg2000_kinds()


def _without_time(sequence: bytes) -> bytes:
    """The same bytes every time: when it was made stands in three boxes (ISO/IEC 14496-12, 8.2.2, 8.3.2, 8.4.2)."""
    data = bytearray(sequence)
    for box in (b"mvhd", b"tkhd", b"mdhd"):
        at = data.index(box) + len(box)
        size = 16 if data[at] else 8  # by the version of the box
        data[at + 4 : at + 4 + size] = bytes(size)
    return bytes(data)


def _avif_kinds() -> dict[str, Kind]:
    still, clear = saved(picture(), "AVIF", quality=90), saved(picture(channels=4), "AVIF")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = saved(picture(), "AVIF", quality=90, exif=exif)
    sequence = _without_time(_animation(_moving()[:3], "AVIF", quality=90))
    with Image.open(io.BytesIO(sequence)) as image:
        frames = []
        for number in range(3):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGB")))
    return {
        "still": Kind(still, "8-bit RGB", [opened(still)]),
        "transparent": Kind(clear, "8-bit RGBA", [opened(clear)]),
        "turned": Kind(turned, "8-bit RGB", [np.rot90(opened(turned), -1)]),
        "sequence": Kind(sequence, "8-bit RGB", frames),
    }


AVIF_KINDS = _avif_kinds()
