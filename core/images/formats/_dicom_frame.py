"""What a DICOM file says of a frame: its size and type, what its stored values mean, and how it wants to be shown."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ImageError
from core.images.formats import _dicom_parts as parts
from core.images.formats._dicom_parts import DAMAGED, Dataset
from core.images.formats._dicom_windows import Look, look_of
from core.images.formats.format import ColorKind, ImageHeader, Pixels, Place, SampleKind, by_strips

_GREY, _PALETTE = ("MONOCHROME1", "MONOCHROME2"), "PALETTE COLOR"
_YBR = ("YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_FLOATING = {parts.FLOATS: (32,), parts.DOUBLES: (64,)}  # bits of samples by the element that they are in
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
        kind: what kind of number samples are.
        photometric: what they mean, in the standard's word.
        planar: whether each colour is stored by itself.
    """

    width: int
    height: int
    samples: int
    allocated: int
    stored: int
    shift: int
    kind: SampleKind
    photometric: str
    planar: bool
    frames: int

    @property
    def frame_bytes(self) -> int:
        """Of an uncompressed frame; those of 1 bit follow each other without a gap."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return (self.width * self.height * samples * self.allocated + 7) // 8

    @property
    def all_bytes(self) -> int:
        """Of all frames, uncompressed."""
        if self.allocated == 1:
            return (self.width * self.height * self.frames + 7) // 8
        return self.frames * self.frame_bytes


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
    kind: SampleKind = "signed" if number(parts.SIGNED) == 1 else "unsigned"
    layout = Layout(
        number(parts.COLUMNS),
        number(parts.ROWS),
        number(parts.SAMPLES, 1),
        allocated,
        stored,
        number(parts.HIGH_BIT, stored - 1) + 1 - stored,
        "float" if dataset.tag in _FLOATING else kind,
        dataset.text(parts.PHOTOMETRIC),
        number(parts.PLANAR) == 1,
        int(frames),
    )
    is_colour = layout.photometric == "RGB" or layout.photometric in _YBR
    if allocated not in _FLOATING.get(dataset.tag, (1, 8, 16, 32)):
        raise ImageError(f"A DICOM file of {allocated} bits of its kind, which cannot be read; export it as TIFF.")
    if not (is_colour or layout.photometric in (*_GREY, _PALETTE)):
        raise ImageError("A DICOM file of a rare kind of colour, which cannot be read; export it as RGB.")
    if layout.samples != (3 if is_colour else 1) or not 1 <= stored <= allocated:
        raise ImageError(DAMAGED)
    if not 0 <= layout.shift <= allocated - stored:
        raise ImageError(DAMAGED)
    if layout.photometric not in _GREY and (layout.kind != "unsigned" or allocated not in (8, 16)):
        raise ImageError("A DICOM file of colours of a rare kind, which cannot be read; export it as RGB of 8 bits.")
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
        if (table := self.table) is not None:
            last = len(table) - 1
            return by_strips(stored, dtype, lambda band: table[np.clip(band.astype(np.int32) - self.first, 0, last)])
        if (self.slope, self.intercept) == (1, 0):
            return stored.astype(dtype, copy=False)
        kind = np.int64 if dtype.kind != "f" else np.float64
        slope, intercept = kind(self.slope), kind(self.intercept)
        return by_strips(stored, dtype, lambda band: band.astype(kind) * slope + intercept)


def meaning_of(dataset: Dataset, layout: Layout, frame: int) -> Meaning:
    """The rule of one frame.

    Raises:
        ImageError: its table is damaged.
    """
    if dataset.value(parts.LUT, frame):
        first, table = parts.table(dataset, parts.LUT, parts.LUT_VALUES, frame, signed=layout.kind == "signed")
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
    bits, look, inverted, unit = layout.allocated, Look(), False, ""
    kind: SampleKind = "unsigned"
    if layout.photometric in _GREY:
        color, inverted = "grey", layout.photometric == "MONOCHROME1"
        bits, kind = _type_of(layout, meaning_of(dataset, layout, frame))
        look = look_of(dataset, frame, signed=kind == "signed")
        if look.window is None and bits == 8 and kind == "unsigned" and layout.stored < 8:
            look = Look.plain((0.0, 2.0**layout.stored - 1))
        unit = _unit(dataset, frame)
    elif layout.photometric == _PALETTE:
        color = "palette"
    return DicomHeader(
        layout.width,
        layout.height,
        bits,
        color,
        label,
        kind,
        look.window,
        inverted,
        () if layout.frames > 1 else _place(dataset),
        look.curve,
        look.windows,
        unit,
        layout.frame_bytes,
    )


def palette_of(dataset: Dataset) -> tuple[int, NDArray[np.uint8]]:
    """The stored value that the first colour stands for, and the colours, ``[N, 3]``.

    Raises:
        ImageError: damaged, or written in a way that nobody uses.
    """
    if not all(dataset.value(tag) for tag in parts.PALETTE_VALUES):
        raise ImageError("A DICOM file with a palette in segments, which cannot be read; export it as RGB.")
    tags, signed = zip(parts.PALETTES, parts.PALETTE_VALUES, strict=True), dataset.number(parts.SIGNED) == 1
    tables = [parts.table(dataset, *pair, 0, signed=signed) for pair in tags]
    if len({(first, len(table)) for first, table in tables}) != 1:
        raise ImageError(DAMAGED)
    eight = [table if table.dtype == np.uint8 else (table >> 8).astype(np.uint8) for _, table in tables]
    return tables[0][0], np.stack(eight, axis=1)


def _type_of(layout: Layout, meaning: Meaning) -> tuple[int, SampleKind]:
    """Bits and kind of the smallest type that holds all true values that stored ones can become."""
    if meaning.table is not None:
        return 8 * meaning.table.dtype.itemsize, "unsigned"
    if layout.kind == "float":
        return layout.allocated, "float"
    if layout.allocated == 1:
        return 1, "unsigned"
    lowest = -(2 ** (layout.stored - 1)) if layout.kind == "signed" else 0
    highest = lowest + 2**layout.stored - 1
    if (meaning.slope, meaning.intercept) == (1, 0):
        return (max(layout.stored, 8), "unsigned") if lowest == 0 else (16 if layout.stored <= 16 else 32, "signed")
    return _type_of_rescaled(meaning, lowest, highest)


def _type_of_rescaled(meaning: Meaning, lowest: int, highest: int) -> tuple[int, SampleKind]:
    """The same where stored values go from one to the other, and have a slope and an intercept."""
    ends = sorted(meaning.slope * stored + meaning.intercept for stored in (lowest, highest))
    if not (meaning.slope.is_integer() and float(meaning.intercept).is_integer()) or max(map(abs, ends)) >= 2**31:
        return 32, "float"
    if ends[0] >= -(2**15) and ends[1] < 2**15:
        return 16, "signed"
    return (16, "unsigned") if ends[0] >= 0 and ends[1] < 2**16 else (32, "signed")


def _unit(dataset: Dataset, frame: int) -> str:
    """Of true values: only Hounsfield's are told, which CT has also where the file does not say so."""
    said = dataset.text(parts.RESCALE_TYPE, frame) or dataset.text(parts.LUT_TYPE, frame)
    is_ct = dataset.text(parts.MODALITY) == "CT" and dataset.value(parts.INTERCEPT, frame) != b""
    return "HU" if said == "HU" or (not said and is_ct) else ""


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
    return series, along, numbers[0] if numbers else 0.0, 0
