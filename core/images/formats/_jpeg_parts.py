"""What a JPEG is made of, by ITU-T T.81: markers, segments, and scans of compressed data."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from core.base.errors import ImageError
from core.images.formats._orientation import UPRIGHT, is_turned, read_orientation, write_orientation
from core.images.formats.format import ColorKind, ImageHeader

SIGNATURE = b"\xff\xd8\xff"
DAMAGED = "The JPEG is damaged; copy or export it again."
TRUNCATED = "The JPEG ends too early; copy or export it again."
MAX_SCANS = 64  # programs write up to a dozen; each goes over the whole image, and an empty one is 10 bytes
MAX_SEGMENTS = 10_000

_COLORS: dict[int, ColorKind] = {1: "grey", 3: "RGB", 4: "CMYK"}
_COMPONENTS = {color: count for count, color in _COLORS.items()}
_BASELINE, _EXTENDED, _PROGRESSIVE, _LOSSLESS, _ARITHMETIC, _ARITHMETIC_PROGRESSIVE = 0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA
_DCT = (_BASELINE, _EXTENDED, _PROGRESSIVE, _ARITHMETIC, _ARITHMETIC_PROGRESSIVE)
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_DHT, _DAC, _EOI, _SOS, _DQT, _DRI, _APP0, _APP1, _APP14, _COM = (
    0xC4, 0xCC, 0xD9, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xEE, 0xFE,
)  # fmt: skip
_OTHERS = (*range(0xE0, 0xF0), _COM)
# Of the compressed data, a byte 0xFF is followed by 0, and restart markers (0xD0 to 0xD7) belong to it.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SMALLEST_SCALES = (8, 4, 2)


@dataclass(frozen=True, slots=True)
class JpegHeader(ImageHeader):
    """Width and height are those of the upright picture. ``process`` is the marker that names the way of coding.

    ``is_buffered`` says that the coefficients of the whole image have to be kept until the last scan.
    """

    process: int = _BASELINE
    orientation: int = UPRIGHT
    is_buffered: bool = False

    @property
    def working_bytes(self) -> int:
        """See ``ImageHeader.working_bytes``: two bytes for each coefficient."""
        return 2 * _COMPONENTS[self.color] * self.pixels if self.is_buffered else 0

    @property
    def scales(self) -> bool:
        """Whether a library decodes it in smaller sizes."""
        return self.bit_depth == 8 and self.process in (_BASELINE, _EXTENDED, _PROGRESSIVE)

    @property
    def is_common(self) -> bool:
        """Whether every browser shows it."""
        return self.scales and self.color != "CMYK"


class TooShort(Exception):
    """More bytes of a file are needed."""


def read_header(data: bytes) -> JpegHeader:
    """Read what stands before the compressed data.

    Raises:
        TooShort: it does not end in ``data``.
        ImageError: not a JPEG, damaged, or of a kind that cannot be read.
    """
    orientation = UPRIGHT
    frame: tuple[int, bytes] | None = None
    for marker, start, end in _segments(data):
        content = data[start:end]
        if marker == _APP1 and content.startswith(b"Exif\0") and orientation == UPRIGHT:
            orientation = read_orientation(content[6:])
        elif marker in _FRAMES:
            if frame is not None:
                raise ImageError(DAMAGED)
            frame = marker, content
        elif marker == _SOS:
            if frame is None or not content:
                raise ImageError(DAMAGED)
            return _header(*frame, orientation, in_one_scan=content[0] == frame[1][5])
        elif marker == _EOI:
            break
    raise ImageError(DAMAGED)


def rebuild(data: bytes, header: JpegHeader) -> bytes:
    """The same image with only what its pixels need, and its orientation: no places, dates, previews or profiles.

    Raises:
        ImageError: cut short, or damaged outside the compressed data.
    """
    parts = [SIGNATURE[:2]]
    if header.orientation != UPRIGHT:
        parts.append(_segment(_APP1, b"Exif\0\0" + write_orientation(header.orientation)))
    frames = scans = coded = 0
    try:
        for marker, start, end in _segments(data):
            if marker == _EOI:
                break
            if marker in _OTHERS:
                if (marker, data[start : start + 5]) not in ((_APP0, b"JFIF\0"), (_APP14, b"Adobe")):
                    continue
            elif marker not in (_DHT, _DAC, _DQT, _DRI, _SOS, *_FRAMES):
                raise ImageError(DAMAGED)
            frames += marker in _FRAMES
            if marker == _SOS:
                next_marker = _MARKER.search(data, end)
                if next_marker is None:
                    raise ImageError(TRUNCATED)
                scans, coded = scans + 1, coded + next_marker.start() - end
                parts.append(data[start - 4 : next_marker.start()])
            else:
                parts.append(data[start - 4 : end])
    except TooShort as error:
        raise ImageError(TRUNCATED) from error
    # The first scan of an image has a bit at least for each block of 8x8 (T.81, F.1.2 and G.1.2), a lossless one more.
    if frames != 1 or not 1 <= scans <= MAX_SCANS or 8 * coded < header.pixels // 64:
        raise ImageError(DAMAGED)
    return b"".join((*parts, bytes((0xFF, _EOI))))


def scale_for(header: JpegHeader, at_least: tuple[int, int]) -> int:
    """By how much width and height are divided in decoding where ``at_least`` is enough: 1, 2, 4 or 8."""
    if not header.scales:
        return 1
    most = min(header.width // max(at_least[0], 1), header.height // max(at_least[1], 1))
    return next((scale for scale in _SMALLEST_SCALES if scale <= most), 1)


def stored_size(header: JpegHeader) -> tuple[int, int]:
    """Width and height as they are in the file, before the picture is turned."""
    size = header.width, header.height
    return size[::-1] if is_turned(header.orientation) else size


def _header(process: int, content: bytes, orientation: int, *, in_one_scan: bool) -> JpegHeader:
    if len(content) < 6:
        raise ImageError(DAMAGED)
    depth, height, width, components = struct.unpack_from(">BHHB", content)
    if not width or not height or len(content) != 6 + 3 * components:
        raise ImageError(DAMAGED)
    if process not in (*_DCT, _LOSSLESS):
        raise ImageError("A hierarchical or arithmetic lossless JPEG, which cannot be read; export it as PNG.")
    if depth not in ((8, 12) if process in _DCT else range(8, 17)) or components not in _COLORS:
        raise ImageError(f"A JPEG of {components} x {depth} bits, which cannot be read; export it as PNG or TIFF.")
    if is_turned(orientation):
        width, height = height, width
    return JpegHeader(
        width,
        height,
        depth,
        _COLORS[components],
        process=process,
        orientation=orientation,
        is_buffered=process in (_PROGRESSIVE, _ARITHMETIC_PROGRESSIVE) or not in_one_scan,
    )


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the contents of each segment; compressed data is passed over.

    Bytes that do not belong between segments are passed over too, as all decoders do.
    """
    if not data.startswith(SIGNATURE[: len(data)]):
        raise ImageError("The file is not a JPEG image; export it as JPEG.")
    position = 2
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None:
            raise TooShort
        marker, position = data[found.end() - 1], found.end()
        if marker == _EOI:
            yield marker, position, position
            return
        if position + 2 > len(data):
            raise TooShort
        (length,) = struct.unpack_from(">H", data, position)
        if length < 2:
            raise ImageError(DAMAGED)
        if position + length > len(data):
            raise TooShort
        start, position = position + 2, position + length
        yield marker, start, position
    raise ImageError(f"The JPEG has more than {MAX_SEGMENTS:,} parts; export it again.")


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content
