"""A small image stack to try the product with: photos that ship inside the scikit-image package, and volumes.

Only photos that are free to use and to change are taken; what scikit-image's documentation says of each:

- CC0: ``chelsea.png`` (Stefan van der Walt), ``coffee.png`` (Rachel Michetti), ``camera.png`` (Lav Varshney),
  ``retina.jpg`` (Mikael Häggström), ``cell.png`` (Paul Müller et al.).
- Public domain: ``astronaut.png`` and ``hubble_deep_field.jpg`` (NASA), ``rocket.jpg`` (SpaceX),
  ``clock_motion.png`` (Stefan van der Walt).
- No known copyright restrictions: ``coins.png`` (Brooklyn Museum).

The files are opened where the package keeps them: ``skimage.data`` itself may download what it does not find.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from core.stacks.sample_volumes import beads, scan

# The fastest zlib level: it halves the waiting time for a few per cent more bytes.
_COMPRESS_LEVEL = 1
# The ZIP format's earliest date: a fixed one, so that the same bytes come out each time.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)

_FOCUS_STEPS = 12
_FOCUS_BLUR = 6.0  # Gaussian blur radius of the first frame, in pixels of the photo
_MAX_12_BIT = 4095


@dataclass(frozen=True, slots=True)
class _View:
    """How one picture is taken of a photo.

    ``longer_side`` is in pixels, ``angle`` in degrees anticlockwise, ``zoom`` and ``brightness`` are factors.
    A turned view needs enough zoom to keep the empty corners outside the frame.
    """

    longer_side: int
    zoom: float = 1.0
    angle: float = 0.0
    brightness: float = 1.0


_VIEWS = (
    _View(480),
    _View(400, zoom=1.5),
    _View(320, zoom=2.2),
    _View(360, zoom=1.7, angle=12),
    _View(300, zoom=2.0, angle=-25),
    _View(420, zoom=1.2, brightness=0.55),
    _View(310, zoom=1.3, brightness=1.45),
)

# (name in the archive, file, what to zoom in on: x and y as fractions of the photo's width and height)
_COLOUR_PHOTOS = (
    ("cats/cat", "chelsea.png", (0.50, 0.45)),
    ("photos/coffee", "coffee.png", (0.50, 0.45)),
    ("photos/rocket", "rocket.jpg", (0.50, 0.42)),
    ("photos/astronaut", "astronaut.png", (0.45, 0.40)),
)
_GREY_PHOTOS = (("camera", "camera.png"), ("clock", "clock_motion.png"), ("coins", "coins.png"))
_CUT_OUT_PHOTOS = (("retina", "retina.jpg"), ("coffee", "coffee.png"), ("astronaut", "astronaut.png"))


def make_sample_stack(target: Path | BinaryIO) -> None:
    """Write the sample stack, a ZIP of images in folders, to ``target``; the same bytes each time.

    It holds colour and grey photos, images with transparency, one with a palette, and a focus series of 16-bit
    grey frames that use 12 of the bits (values up to 4095), as many scientific cameras deliver them, all as PNG; and
    what ``sample_volumes`` makes: a TIFF of several pages, and the slices of a scan as DICOM.

    Raises:
        ModuleNotFoundError: scikit-image is not installed.
        OSError: ``target`` cannot be written.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, image in _sample_images():
            archive.writestr(zipfile.ZipInfo(f"{name}.png", _ZIP_DATE), _encode_png(image))
        archive.writestr(_packed("z stack of beads/beads.tif"), beads(), compresslevel=_COMPRESS_LEVEL)
        for file_name, data in scan():
            archive.writestr(_packed(f"scan of a phantom/{file_name}"), data, compresslevel=_COMPRESS_LEVEL)


def _packed(name: str) -> zipfile.ZipInfo:
    """A file that is compressed by the archive, because it is not by itself."""
    info = zipfile.ZipInfo(name, _ZIP_DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _sample_images() -> Iterator[tuple[str, Image.Image]]:
    """Yield ``(name without suffix, image)`` in the order of the archive."""
    for subject, filename, focus in _COLOUR_PHOTOS:
        photo = _open_photo(filename)
        for number, view in enumerate(_VIEWS, start=1):
            yield f"{subject} {number}", _take(photo, focus, view)
    for subject, filename in _GREY_PHOTOS:
        yield f"photos/grey/{subject}", _fit(_open_photo(filename), 384)
    yield "photos/palette/deep field", _fit(_open_photo("hubble_deep_field.jpg"), 420).quantize(256)
    for subject, filename in _CUT_OUT_PHOTOS:
        yield f"cut-outs/{subject}", _cut_out_ellipse(_fit(_open_photo(filename), 360))
    for number, frame in enumerate(_focus_series(), start=1):
        yield f"microscope 16-bit/focus {number}", frame


def _open_photo(filename: str) -> Image.Image:
    """Return a photo of the scikit-image package in its own mode."""
    with (files("skimage") / "data" / filename).open("rb") as file:
        photo = Image.open(file)
        photo.load()
    return photo


def _take(photo: Image.Image, focus: tuple[float, float], view: _View) -> Image.Image:
    """Turn ``photo`` about ``focus``, cut out what ``view`` zooms in on, resize it and set its brightness."""
    turned = photo.rotate(
        view.angle, Image.Resampling.BICUBIC, center=(focus[0] * photo.width, focus[1] * photo.height)
    )
    width, height = photo.width / view.zoom, photo.height / view.zoom
    left = min(max(focus[0] * photo.width - width / 2, 0), photo.width - width)
    top = min(max(focus[1] * photo.height - height / 2, 0), photo.height - height)
    scale = view.longer_side / max(width, height)
    size = (round(width * scale), round(height * scale))
    taken = turned.resize(size, Image.Resampling.BICUBIC, (left, top, left + width, top + height), reducing_gap=2.0)
    return ImageEnhance.Brightness(taken).enhance(view.brightness)


def _fit(photo: Image.Image, longer_side: int) -> Image.Image:
    """Return ``photo`` reduced to ``longer_side`` pixels."""
    photo.thumbnail((longer_side, longer_side))
    return photo


def _cut_out_ellipse(photo: Image.Image) -> Image.Image:
    """Return ``photo`` as RGBA, transparent outside the ellipse that fits its frame."""
    mask = Image.new("L", photo.size)
    ImageDraw.Draw(mask).ellipse((0, 0, photo.width - 1, photo.height - 1), fill=255)
    photo.putalpha(mask)
    return photo


def _focus_series() -> Iterator[Image.Image]:
    """Yield 16-bit grey frames of a cell that comes into focus while the exposure grows to the full 12-bit range."""
    cell = _open_photo("cell.png")
    _, brightest = cell.getextrema()
    for step in range(_FOCUS_STEPS):
        progress = step / (_FOCUS_STEPS - 1)
        blurred = cell.filter(ImageFilter.GaussianBlur(_FOCUS_BLUR * (1.0 - progress)))
        # Averaging in floating point gives the values between the photo's 256 levels.
        light = np.asarray(blurred.convert("F").reduce(2)) / brightest
        yield Image.fromarray((light * (0.3 + 0.7 * progress) * _MAX_12_BIT).round().astype(np.uint16))


def _encode_png(image: Image.Image) -> bytes:
    """Return ``image`` as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=_COMPRESS_LEVEL)
    return buffer.getvalue()
