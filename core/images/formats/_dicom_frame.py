"""What a DICOM file says of a frame: its size and type, what its stored values mean, and how it wants to be shown."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ImageError
from core.images.formats import _dicom_parts as parts
from core.images.formats._dicom_parts import DAMAGED, Dataset
from core.images.formats.format import ColorKind, ImageHeader, Pixels, Place, SampleKind, Window

_GREY, _PALETTE = ("MONOCHROME1", "MONOCHROME2"), "PALETTE COLOR"
_YBR = ("YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_PACKED_BYTES = 64 * 1024  # what compressing may add to a frame, with its tables


@dataclass(frozen=True, slots=True)
class DicomHeader(ImageHeader):
    """``frame_bytes`` is what a frame takes unpacked."""

    frame_bytes: int = 0

    def stored_bytes(self, file_size: int) -> int:
        """See ``ImageHeader.stored_bytes``."""
        return min(file_size, 2 * self.frame_bytes + _PACKED_BYTES)


@dataclass(frozen=True, slots=True)
class Layout:
    """The stored samples of every frame of a file.

    Attributes:
        width, height, samples: columns, rows, and samples of a pixel.
        allocated, stored, shift: bits of each sample in the file, those that count, and those below them.
        signed: whether samples are two's complement.
        photometric: what they mean, in the standard's word.
        planar: whether each colour is stored by itself.
    """

    width: int
    height: int
    samples: int
    allocated: int
    stored: int
    shift: int
    signed: bool
    photometric: str
    planar: bool
    frames: int

    @property
    def frame_bytes(self) -> int:
        """Of an uncompressed frame."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.width * self.height * samples * self.allocated // 8


def read_layout(dataset: Dataset) -> Layout:
    """The layout of the frames of a file.

    Raises:
        ImageError: it makes no sense, there are no pixels, or they are of a kind that cannot be read.
    """
    number = dataset.number
    if dataset.tag == 0 or not (number(parts.ROWS) and number(parts.COLUMNS)):
        raise ImageError("A DICOM file without an image, such as a report or an index; leave it out.")
    allocated = number(parts.ALLOCATED)
    stored = number(parts.STORED, allocated)
    frames = dataset.text(parts.FRAMES) or "1"
    if not frames.isdecimal() or not 1 <= len(frames) <= 7 or int(frames) < 1:
        raise ImageError(DAMAGED)
    layout = Layout(
        number(parts.COLUMNS),
        number(parts.ROWS),
        number(parts.SAMPLES, 1),
        allocated,
        stored,
        number(parts.HIGH_BIT, stored - 1) + 1 - stored,
        number(parts.SIGNED) == 1,
        dataset.text(parts.PHOTOMETRIC),
        number(parts.PLANAR) == 1,
        int(frames),
    )
    is_colour = layout.photometric == "RGB" or layout.photometric in _YBR
    if dataset.tag != parts.PIXELS or allocated not in (8, 16):
        raise ImageError(
            "A DICOM file of 1, 32 or 64 bits, or of floating values, which cannot be read; export it as TIFF."
        )
    if not (is_colour or layout.photometric in (*_GREY, _PALETTE)):
        raise ImageError("A DICOM file of a rare kind of colour, which cannot be read; export it as RGB.")
    if layout.samples != (3 if is_colour else 1) or not 1 <= stored <= allocated:
        raise ImageError(DAMAGED)
    if not 0 <= layout.shift <= allocated - stored:
        raise ImageError(DAMAGED)
    if (is_colour or layout.photometric == _PALETTE) and layout.signed:
        raise ImageError("A DICOM file of signed colours, which cannot be read; export it as RGB.")
    if layout.photometric in _YBR and allocated != 8:
        raise ImageError("A DICOM file of YBR colours of 16 bits, which cannot be read; export it as RGB.")
    return layout


@dataclass(frozen=True, slots=True)
class Meaning:
    """What stored values of grey mean, by the modality's own rule: a table, or a slope and an intercept."""

    slope: float = 1
    intercept: float = 0
    first: int = 0
    table: NDArray[Any] | None = None

    def apply(self, stored: Pixels, dtype: np.dtype[Any]) -> Pixels:
        """The true values of stored ones."""
        if self.table is not None:
            places = np.clip(stored.astype(np.int32) - self.first, 0, len(self.table) - 1)
            found: Pixels = self.table[places].astype(dtype)
            return found
        if (self.slope, self.intercept) == (1, 0):
            return stored.astype(dtype, copy=False)
        kind = np.int64 if dtype.kind != "f" else np.float64
        true: Pixels = (stored.astype(kind) * kind(self.slope) + kind(self.intercept)).astype(dtype)
        return true


def meaning_of(dataset: Dataset, frame: int) -> Meaning:
    """The rule of one frame.

    Raises:
        ImageError: its table is damaged.
    """
    if dataset.value(parts.LUT, frame):
        first, table = _table(dataset, parts.LUT, parts.LUT_VALUES, frame)
        return Meaning(first=first, table=table)
    slope, intercept = dataset.decimals(parts.SLOPE, frame), dataset.decimals(parts.INTERCEPT, frame)
    if not slope or slope[0] == 0:
        return Meaning()
    return Meaning(slope[0], intercept[0] if intercept else 0)


def header_of(dataset: Dataset, layout: Layout, frame: int) -> DicomHeader:
    """The header of one frame, with how its file wants it to be shown.

    Raises:
        ImageError: a table in it is damaged.
    """
    label = f"frame {frame + 1}" if layout.frames > 1 else ""
    color: ColorKind = "RGB"
    bits, window, inverted = layout.allocated, None, False
    kind: SampleKind = "unsigned"
    if layout.photometric in _GREY:
        color, inverted = "grey", layout.photometric == "MONOCHROME1"
        bits, kind = _type_of(layout, meaning_of(dataset, frame))
        window = _window(dataset, frame)
        if window is None and bits == 8 and kind == "unsigned" and layout.stored < 8:
            window = (0.0, 2.0**layout.stored - 1)
    elif layout.photometric == _PALETTE:
        color = "palette"
    return DicomHeader(
        layout.width,
        layout.height,
        bits,
        color,
        label,
        kind,
        window,
        inverted,
        () if layout.frames > 1 else _place(dataset),
        layout.frame_bytes,
    )


def palette_of(dataset: Dataset) -> tuple[int, NDArray[np.uint8]]:
    """The stored value that the first colour stands for, and the colours, ``[N, 3]``.

    Raises:
        ImageError: damaged, or written in a way that nobody uses.
    """
    tables = [_table(dataset, *tags, 0) for tags in zip(parts.PALETTES, parts.PALETTE_VALUES, strict=True)]
    if len({(first, len(table)) for first, table in tables}) != 1:
        raise ImageError(DAMAGED)
    eight = [table if table.dtype == np.uint8 else (table >> 8).astype(np.uint8) for _, table in tables]
    return tables[0][0], np.stack(eight, axis=1)


def _table(dataset: Dataset, description: int, values: int, frame: int) -> tuple[int, NDArray[Any]]:
    """The first stored value that a table is for, and its values."""
    order, described, data = dataset.syntax.order, dataset.value(description, frame), dataset.value(values, frame)
    if len(described) < 6:
        raise ImageError(DAMAGED)
    count, first, bits = struct.unpack_from(f"{order}H{'h' if dataset.number(parts.SIGNED) else 'H'}H", described)
    count = count or 65536
    if not 1 <= bits <= 16 or len(data) < (count if bits <= 8 else 2 * count):
        raise ImageError(DAMAGED)
    wide = len(data) >= 2 * count
    table = np.frombuffer(data, f"{order}u2" if wide else "u1", count)
    return first, table.astype(np.uint8 if bits <= 8 else np.uint16)


def _type_of(layout: Layout, meaning: Meaning) -> tuple[int, SampleKind]:
    """Bits and kind of the smallest type that holds all true values that stored ones can become."""
    if meaning.table is not None:
        return 8 * meaning.table.dtype.itemsize, "unsigned"
    lowest = -(2 ** (layout.stored - 1)) if layout.signed else 0
    highest = lowest + 2**layout.stored - 1
    if (meaning.slope, meaning.intercept) == (1, 0):
        return (16 if layout.signed else max(layout.stored, 8)), "signed" if layout.signed else "unsigned"
    ends = sorted(meaning.slope * stored + meaning.intercept for stored in (lowest, highest))
    if not (meaning.slope.is_integer() and float(meaning.intercept).is_integer()) or max(map(abs, ends)) >= 2**31:
        return 32, "float"
    if ends[0] >= -(2**15) and ends[1] < 2**15:
        return 16, "signed"
    return (16, "unsigned") if ends[0] >= 0 and ends[1] < 2**16 else (32, "signed")


def _window(dataset: Dataset, frame: int) -> Window | None:
    """The values that the first window of the file shows black and white (PS3.3, C.11.2.1.2 and C.11.2.1.3.2)."""
    centers, widths = dataset.decimals(parts.CENTER, frame), dataset.decimals(parts.WIDTH, frame)
    function = dataset.text(parts.FUNCTION, frame) or "LINEAR"
    if not centers or not widths or function not in ("LINEAR", "LINEAR_EXACT"):
        return None
    center, width = centers[0], widths[0]
    if function == "LINEAR":
        center, width = center - 0.5, max(width - 1, 1e-3)
    return (center - width / 2, center + width / 2) if width >= 1e-3 else None


def _place(dataset: Dataset) -> Place:
    """Which series and direction an image is of, how far along it lies, and its number; no UID can be read back."""
    position, axes = dataset.decimals(parts.POSITION), dataset.decimals(parts.ORIENTATION)
    numbers = dataset.decimals(parts.INSTANCE)
    along, direction = 0.0, ""
    if len(position) == 3 and len(axes) == 6:
        normal = np.cross(axes[:3], axes[3:])
        along = round(float(normal @ np.array(position)), 3)
        direction = " ".join(f"{axis:.2f}" for axis in axes)
    series = hashlib.blake2s(dataset.value(parts.SERIES) + direction.encode()).hexdigest()
    return series, along, numbers[0] if numbers else 0.0
