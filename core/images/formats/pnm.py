"""The PNM formats of Netpbm: PBM, PGM and PPM, as bytes or as text, of up to 16 bits."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ImageError
from core.images.formats.format import ColorKind, FileReader, ImageHeader, Pixels, check_size

HEAD_BYTES = 4096
DAMAGED = "The PNM is damaged; copy or export it again."
TRUNCATED = "The PNM ends too early; copy or export it again."

_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"  # a comment goes on to the end of its line
_NUMBER = rb"(\d{1,9})"
_BITMAP = re.compile(rb"P([14])" + _SPACE + _NUMBER + _SPACE + _NUMBER + rb"\s")
_GREYMAP = re.compile(rb"P([2356])" + _SPACE + _NUMBER + _SPACE + _NUMBER + _SPACE + _NUMBER + rb"\s")
_COMMENT = re.compile(rb"#[^\r\n]*")


class Pnm:
    """PBM, PGM and PPM as one of the formats; of several images in a file the first is read."""

    name = "PNM"
    extensions = (".pnm", ".pbm", ".pgm", ".ppm")
    media_type = "image/x-portable-anymap"
    head_bytes = 3
    reads_parts = False
    names_people = False

    def matches(self, head: bytes) -> bool:
        """See ``ImageFormat.matches``."""
        return re.match(rb"P[1-6](\s|#)", head) is not None

    def read_headers(self, file: FileReader) -> tuple[ImageHeader]:
        """See ``ImageFormat.read_headers``."""
        return (_read_header(file.read(0, HEAD_BYTES))[0],)

    def decode(
        self, file: FileReader, frame: int = 0, *, max_pixels: int, at_least: tuple[int, int] | None = None
    ) -> Pixels:
        """See ``ImageFormat.decode``; always the full size. Samples of fewer than 8 bits are scaled to 255."""
        header, kind, start, highest = _read_header(file.read(0, HEAD_BYTES))
        check_size(header, max_pixels)
        channels = 3 if kind in (3, 6) else 1
        count = header.pixels * channels
        samples: NDArray[Any]
        if kind <= 3:
            samples = _from_text(file.read()[start:], kind, count, highest)
        elif kind == 4:
            rows = _from_bytes(file, start, header.height * (-(-header.width // 8)), "u1")
            samples = np.unpackbits(rows.reshape(header.height, -1), axis=1, count=header.width)
        else:
            samples = _from_bytes(file, start, count, ">u2" if highest > 255 else "u1")
        samples = samples.reshape(header.height, header.width, channels)
        if kind in (1, 4):
            return np.where(samples, np.uint8(0), np.uint8(255))  # 1 is black
        if samples.max() > highest:
            raise ImageError(DAMAGED)
        if highest < 255:
            samples = (samples.astype(np.uint32) * 255 + highest // 2) // highest
        return samples.astype(np.uint16) if highest > 255 else samples.astype(np.uint8)


FORMAT = Pnm()


def _read_header(head: bytes) -> tuple[ImageHeader, int, int, int]:
    """The header, the number behind the P, where the samples begin, and the highest value they may have."""
    if not FORMAT.matches(head):
        raise ImageError("The file is not a PBM, PGM or PPM image; export it as PNG.")
    found = _BITMAP.match(head) or _GREYMAP.match(head)
    if found is None:
        raise ImageError(TRUNCATED if len(head) < HEAD_BYTES else DAMAGED)
    kind, width, height, *rest = map(int, found.groups())
    highest = rest[0] if rest else 1
    if not width or not height or not 1 <= highest <= 65535:
        raise ImageError(DAMAGED)
    color: ColorKind = "RGB" if kind in (3, 6) else "grey"
    return ImageHeader(width, height, highest.bit_length(), color), kind, found.end(), highest


def _from_bytes(file: FileReader, start: int, count: int, dtype: str) -> NDArray[Any]:
    if start + count * np.dtype(dtype).itemsize > file.size:
        raise ImageError(TRUNCATED)  # before memory is set aside
    return np.frombuffer(file.read(), dtype, count, start)


def _from_text(text: bytes, kind: int, count: int, highest: int) -> NDArray[Any]:
    """Numbers with spaces between them; of bitmaps, digits that may stand together."""
    if b"#" in text:
        text = _COMMENT.sub(b" ", text)
    if kind == 1:
        digits = np.frombuffer(text, np.uint8)
        bits = digits[(digits == ord("0")) | (digits == ord("1"))][:count] - ord("0")
        if len(bits) < count:
            raise ImageError(TRUNCATED)
        return np.asarray(bits)
    if 2 * count - 1 > len(text):
        raise ImageError(TRUNCATED)
    try:
        numbers = np.fromstring(text.decode("ascii"), np.int64, count, sep=" ")
    except ValueError as error:  # what is no number, or not ASCII
        raise ImageError(DAMAGED) from error
    if len(numbers) < count or numbers.min() < 0 or numbers.max() > highest:
        raise ImageError(DAMAGED)
    return numbers.astype(np.uint16)
