"""The AVIF format, decoded by Pillow with libavif and dav1d, to 8 bits; the frames of a sequence."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from core.base.errors import ImageError
from core.images.formats._animation import check_animation
from core.images.formats._orientation import UPRIGHT, is_turned, turn
from core.images.formats._pillow import open_image, refusing
from core.images.formats._pillow_frames import PillowFrames
from core.images.formats._remembered import Remembered
from core.images.formats.format import ColorKind, FileReader, ImageHeader, Pixels, Size, check_size

DAMAGED = "The AVIF is damaged, cut short, or of a kind that cannot be read; export it as PNG."

_BRANDS = (b"avif", b"avis")
_ORIENTATION = 0x0112
_FRAMES = PillowFrames("AVIF")
_FOUND: Remembered[tuple[ImageHeader, int, int]] = Remembered()  # as stored, how many frames, how to turn them


class Avif:
    """AVIF as one of the formats."""

    name = "AVIF"
    extensions = (".avif", ".avifs")
    media_type = "image/avif"
    head_bytes = 32
    reads_parts = False
    names_people = False

    def matches(self, head: bytes) -> bool:
        """See ``ImageFormat.matches``; of other brands those that say that they are AVIF, too."""
        return head[4:8] == b"ftyp" and (head[8:12] in _BRANDS or any(brand in head[16:32] for brand in _BRANDS))

    def read_headers(self, file: FileReader) -> Iterator[ImageHeader]:
        """See ``ImageFormat.read_headers``. libavif reads the boxes of the whole file, and decodes nothing."""
        stored, frames, orientation = _FOUND.get(file.key, lambda: self._open(file))
        width, height = (stored.width, stored.height)[:: -1 if is_turned(orientation) else 1]
        for number in range(1, frames + 1):
            yield ImageHeader(width, height, 8, stored.color, f"frame {number}" if frames > 1 else "")

    def decode(self, file: FileReader, frame: int = 0, *, max_pixels: int, at_least: Size | None = None) -> Pixels:
        """See ``ImageFormat.decode``; always the full size."""
        stored, _, orientation = _FOUND.get(file.key, lambda: self._open(file))
        check_size(stored, max_pixels)
        with refusing(DAMAGED):
            pixels = _FRAMES.decode(file, frame, stored.color)
        if pixels.shape[:2] != (stored.height, stored.width):
            raise ImageError(DAMAGED)
        return turn(pixels, orientation)

    def _open(self, file: FileReader) -> tuple[ImageHeader, int, int]:
        data = file.read()
        if not self.matches(data[: self.head_bytes]):
            raise ImageError("The file is not an AVIF image; export it as AVIF.")
        with refusing(DAMAGED):
            image = open_image(data, "AVIF")
            color: ColorKind = "RGBA" if image.mode == "RGBA" else "RGB"
            header = ImageHeader(image.width, image.height, 8, color)
            frames, orientation = getattr(image, "n_frames", 1), _orientation(image)
        check_animation(header, frames)
        return header, frames, orientation


FORMAT = Avif()


def _orientation(image: Image.Image) -> int:
    """Pillow tells a file's rotation and mirroring as Exif does."""
    found = image.getexif().get(_ORIENTATION, UPRIGHT)
    return found if isinstance(found, int) and 1 <= found <= 8 else UPRIGHT
