"""One page of a TIFF: what it holds, and its samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ImageError
from core.images.formats import _tiff_parts as parts
from core.images.formats import _tiff_segments as segments
from core.images.formats._orientation import UPRIGHT, is_turned, turn
from core.images.formats._tiff_parts import DAMAGED, Directory
from core.images.formats.format import ColorKind, FileReader, ImageHeader, Pixels, Place, SampleKind, Size

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_COLORED = {_RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1}  # samples that are colours
_ASSOCIATED, _UNASSOCIATED = 1, 2  # kinds of alpha: the first is multiplied into the colours
_KINDS: dict[int, SampleKind] = {1: "unsigned", 2: "signed", 3: "float", 4: "unsigned"}
_SEPARATE = 2  # planar configuration: each sample in strips of its own
_PACKED_BYTES = 64 * 1024  # what a strip may take more than its samples, stored


@dataclass(frozen=True, slots=True)
class Page:
    """What a page's tags say, checked against each other."""

    directory: Directory
    width: int
    height: int
    samples: int
    bits: int
    kind: SampleKind
    photometric: int
    compression: int
    predictor: int
    planar: bool
    alpha: int
    orientation: int

    @property
    def channels(self) -> int:
        """How many grey images the page holds; 0 where its samples are the colours of one."""
        colours = _COLORED[self.photometric]
        apart = self.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) and self.samples > colours + (self.alpha > 0)
        return self.samples if apart else 0

    @property
    def color(self) -> ColorKind:
        """Of its frames."""
        if self.photometric == _PALETTE:
            return "palette"
        if self.photometric == _CMYK:
            return "CMYK"
        grey = self.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)
        if self.alpha and not self.channels:
            return "grey + alpha" if grey else "RGBA"
        return "grey" if grey else "RGB"

    def header(self, label: str, levels: tuple[Size, ...] = (), place: Place = ()) -> TiffHeader:
        """Of one of its frames, of which there are smaller copies of these sizes, and its place in a series."""
        width, height = self.width, self.height
        if is_turned(self.orientation):
            width, height = height, width
        return TiffHeader(
            width, height, self.bits, self.color, label, sample_kind=self.kind, place=place, levels=levels
        )


@dataclass(frozen=True, slots=True)
class TiffHeader(ImageHeader):
    """A frame of which only its own part of the file is read; ``levels`` are the sizes of its smaller copies."""

    levels: tuple[Size, ...] = ()

    def stored_bytes(self, file_size: int) -> int:
        """See ``ImageHeader.stored_bytes``: as many as its samples take, and some more."""
        return min(file_size, self.pixels * 8 * self.dtype.itemsize + _PACKED_BYTES)


def read_page(directory: Directory) -> Page:
    """What is said in a directory.

    Raises:
        ImageError: it makes no sense, or the page is of a kind that cannot be read.
    """
    one = directory.one
    width, height, samples = one(parts.WIDTH), one(parts.HEIGHT), one(parts.SAMPLES, 1)
    bits = directory.values.get(parts.BITS, (1,))
    kinds = directory.values.get(parts.FORMAT, (1,))
    photometric, compression = one(parts.PHOTOMETRIC, _BLACK_IS_ZERO), one(parts.COMPRESSION, 1)
    extra = directory.values.get(parts.EXTRA, ())
    if width <= 0 or height <= 0 or not 1 <= samples <= 65535 or len(set(bits[:samples])) != 1:
        raise ImageError(DAMAGED)
    if compression not in segments.COMPRESSIONS:
        how = segments.NAMES.get(compression, f"in a way that is not supported ({compression})")
        raise ImageError(f"A TIFF compressed {how}, which cannot be read; export it with LZW or Deflate.")
    if photometric not in _COLORED or (photometric == _YCBCR and compression != segments.JPEG):
        raise ImageError(f"A TIFF of a rare kind of colour ({photometric}), which cannot be read; export it as RGB.")
    kind = _KINDS.get(kinds[0])
    page = Page(
        directory,
        width,
        height,
        samples,
        bits[0],
        kind or "unsigned",
        photometric,
        compression,
        one(parts.PREDICTOR, 1),
        one(parts.PLANAR, 1) == _SEPARATE and samples > 1,
        extra[0] if extra and extra[0] in (_ASSOCIATED, _UNASSOCIATED) else 0,
        one(parts.ORIENTATION, UPRIGHT) if 1 <= one(parts.ORIENTATION, UPRIGHT) <= 8 else UPRIGHT,
    )
    if kind is None or not _is_possible(page):
        raise ImageError(
            f"A TIFF of {samples} x {bits[0]} bits of its kind, which cannot be read; export it with 8, 16 or 32 bits."
        )
    return page


def decode_page(page: Page, file: FileReader, channel: int) -> Pixels:
    """The samples of a page, or of one channel of it, ``[H, W, C]``, upright; see ``ImageFormat.decode``.

    Raises:
        ImageError: damaged or cut short.
    """
    samples = _read(page, file, channel)
    if page.photometric == _WHITE_IS_ZERO and page.kind == "unsigned":
        samples = samples.dtype.type(2**page.bits - 1) - samples
    if page.photometric == _PALETTE:
        samples = _coloured(samples, page)
    elif page.bits < 8:
        samples = (samples.astype(np.uint16) * 255 // (2**page.bits - 1)).astype(np.uint8)
    elif page.photometric == _CMYK:
        highest = 2**page.bits - 1
        light = highest - samples[..., :4].astype(np.uint32)
        samples = ((light[..., :3] * light[..., 3:] + highest // 2) // highest).astype(samples.dtype)
    if page.alpha == _ASSOCIATED and page.color in ("RGBA", "grey + alpha"):
        samples = _unmultiplied(samples)
    return turn(np.ascontiguousarray(samples), page.orientation)


def _is_possible(page: Page) -> bool:
    """Whether samples of this kind can be read."""
    colours, kind, bits = _COLORED[page.photometric], page.kind, page.bits
    if page.samples < colours or page.predictor not in (1, segments.HORIZONTAL, segments.FLOATING):
        return False
    if page.compression in segments.PICTURES:
        deep = page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) and 8 < bits <= 16 and page.predictor == 1
        return (bits == 8 or deep) and kind == "unsigned" and page.photometric != _PALETTE
    if kind == "float":
        possible = bits in (16, 32, 64) and page.photometric != _PALETTE
    elif 1 <= bits <= 16 and bits not in (8, 16):
        possible = kind == "unsigned" and page.predictor == 1
    else:
        possible = bits in (8, 16, 32) and page.predictor != segments.FLOATING
    if page.photometric == _PALETTE:
        possible = possible and bits in (1, 2, 4, 8, 16) and kind == "unsigned"
    if page.photometric == _CMYK:
        possible = possible and bits in (8, 16) and kind == "unsigned"
    if page.alpha and not page.channels:
        possible = possible and bits in (8, 16) and kind == "unsigned"
    return possible


def _stored(page: Page) -> np.dtype[Any]:
    letter = {"unsigned": "u", "signed": "i", "float": "f"}[page.kind]
    return np.dtype(f"{page.directory.layout.order}{letter}{max(page.bits // 8, 1)}")


def _read(page: Page, file: FileReader, channel: int) -> NDArray[Any]:
    """What is stored, without any meaning: ``[H, W, C]`` of those samples that are wanted."""
    wanted = _wanted(page, channel)
    packed = page.bits not in (8, 16, 32, 64)
    dtype = np.dtype(np.uint8 if page.bits < 8 else np.uint16) if packed else _stored(page).newbyteorder("=")
    whole: NDArray[Any] | None = None
    for top, left, plane, segment in _segments(page, file, wanted):
        if whole is None:
            whole = np.empty((page.height, page.width, len(wanted)), dtype)
        rows, columns = min(len(segment), page.height - top), min(segment.shape[1], page.width - left)
        place = whole[top : top + rows, left : left + columns]
        if page.planar:
            place[..., wanted.index(plane)] = segment[:rows, :columns, 0]
        else:
            place[...] = segment[:rows, :columns, wanted[0] : wanted[-1] + 1]
    assert whole is not None  # noqa: S101 - every page has a segment
    types = {"i1": np.int16, "f2": np.float32}
    return whole.astype(types.get(dtype.str[1:], dtype), copy=False)


def _wanted(page: Page, channel: int) -> list[int]:
    """Which samples make the frame."""
    if page.channels:
        return [channel]
    return list(range(_COLORED[page.photometric] + (page.alpha > 0)))


def _segments(page: Page, file: FileReader, wanted: list[int]) -> Iterator[tuple[int, int, int, NDArray[Any]]]:
    """Each strip or tile: its top row, first column, plane and samples ``[h, w, C]``."""
    directory = page.directory
    tile_width, tile_height = directory.one(parts.TILE_WIDTH), directory.one(parts.TILE_HEIGHT)
    tiled = bool(tile_width or tile_height)
    width = tile_width if tiled else page.width
    height = tile_height if tiled else min(directory.one(parts.ROWS) or page.height, page.height)
    if not (0 < width <= page.width + 65536 and 0 < height <= page.height + 65536):
        raise ImageError(DAMAGED)
    offsets = directory.numbers(parts.TILE_OFFSETS, file) or directory.numbers(parts.OFFSETS, file)
    counts = directory.numbers(parts.TILE_BYTE_COUNTS, file) or directory.numbers(parts.BYTE_COUNTS, file)
    across, down = -(-page.width // width), -(-page.height // height)
    planes = wanted if page.planar else [0]
    if not counts and len(offsets) == 1:
        counts = (max(file.size - offsets[0], 0),)  # old programs leave them out
    if min(len(offsets), len(counts)) < across * down * (page.samples if page.planar else 1):
        raise ImageError(DAMAGED)
    tables = directory.texts.get(parts.JPEG_TABLES, b"")
    for plane in planes:
        for row in range(down):
            rows = height if tiled else min(height, page.height - row * height)
            for column in range(across):
                number = (plane * down + row) * across + column
                segment = _segment(page, file, offsets[number], counts[number], rows, width, tables)
                yield row * height, column * width, plane, segment


def _segment(
    page: Page, file: FileReader, offset: int, count: int, rows: int, width: int, tables: bytes
) -> NDArray[Any]:
    channels = 1 if page.planar else page.samples
    row_bytes = (width * channels * page.bits + 7) // 8
    size = rows * row_bytes
    if not count:  # written by programs for a part that holds nothing
        return np.zeros((rows, width, channels), _stored(page).newbyteorder("="))
    most = min(count, 2 * size + _PACKED_BYTES)
    data = file.read(offset, most)
    if len(data) < most:
        raise ImageError(parts.TRUNCATED)
    if page.directory.one(parts.FILL_ORDER, 1) == 2 and page.compression not in segments.PICTURES:
        data = _REVERSED[np.frombuffer(data, np.uint8)].tobytes()
    if page.compression in segments.PICTURES:
        found = segments.decode_picture(
            data, page.compression, (width, rows), page.bits, tables=tables, photometric=page.photometric
        )
        if found.shape[2] != channels or len(found) < rows:
            raise ImageError(DAMAGED)
        return found
    unpacked = segments.unpack(data, page.compression, size)
    if page.bits not in (8, 16, 32, 64):
        return segments.unpack_bits(unpacked, rows, width, channels, page.bits)
    if page.predictor == segments.FLOATING:
        return segments.undo_floating(unpacked, rows, width, channels, _stored(page).newbyteorder("="))
    samples = np.frombuffer(unpacked, _stored(page)).reshape(rows, width, channels)
    return segments.undo_predictor(samples.astype(samples.dtype.newbyteorder("="), copy=False), page.predictor)


_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)).reshape(256, 8)[:, ::-1], axis=1)[:, 0]


def _coloured(indices: NDArray[Any], page: Page) -> NDArray[np.uint8]:
    """RGB of a palette; what is beyond it is black."""
    size = 2**page.bits
    stored = np.array(page.directory.values.get(parts.PALETTE, ()), np.int64)[: 3 * size]
    if len(stored) < 3 * size:
        raise ImageError(DAMAGED)
    palette = stored.reshape(3, size).T
    eight = palette if palette.max() < 256 else palette >> 8  # some programs write 8 bits
    colours: NDArray[np.uint8] = eight.astype(np.uint8)[indices[..., 0]]
    return colours


def _unmultiplied(samples: NDArray[Any]) -> NDArray[Any]:
    """Colours as they were before they were multiplied with alpha."""
    highest = np.iinfo(samples.dtype).max
    alpha = samples[..., -1:].astype(np.uint32)
    colours = samples[..., :-1].astype(np.uint32) * highest // np.maximum(alpha, 1)
    return np.concatenate([np.minimum(colours, highest), alpha], axis=2).astype(samples.dtype)
