"""The image files of all formats but PNG."""

from __future__ import annotations

from tests.jpegs import JPEG_KINDS
from tests.pictures import APNG_KINDS, AVIF_KINDS, BMP_KINDS, GIF_KINDS, JPEG2000_KINDS, PNM_KINDS, WEBP_KINDS, Kind
from tests.tiffs import TIFF_KINDS

KINDS: dict[str, dict[str, Kind]] = {
    "jpeg": JPEG_KINDS,
    "gif": GIF_KINDS,
    "webp": WEBP_KINDS,
    "apng": APNG_KINDS,
    "bmp": BMP_KINDS,
    "pnm": PNM_KINDS,
    "tiff": TIFF_KINDS,
    "jpeg2000": JPEG2000_KINDS,
    "avif": AVIF_KINDS,
}
