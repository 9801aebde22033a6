"""How a DICOM file wants its grey values to be shown: windows, even or S-shaped, and tables (PS3.3, C.11.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.images.formats import _dicom_parts as parts
from core.images.formats._dicom_parts import Dataset
from core.images.formats.format import Window

_MOST_WINDOWS = 16  # that are offered
_NARROWEST = 1e-3
_CURVE_STEPS = 4096
_REACH = 2  # widths on each side of the centre; beyond them an S-shaped window is black or white to within 0.1 of 255


@dataclass(frozen=True, slots=True)
class Look:
    """See ``ImageHeader`` for all of them."""

    window: Window | None = None
    curve: bytes = b""
    windows: tuple[Window, ...] = ()

    @classmethod
    def plain(cls, window: Window) -> Look:
        """An even window, and nothing else to choose."""
        return cls(window, windows=(window,))


def look_of(dataset: Dataset, frame: int, *, signed: bool) -> Look:
    """What a file says of a frame: its first window is what is shown, and its first table only where it has none.

    Args:
        dataset: of the file.
        frame: position in it.
        signed: whether the values that windows and tables are for are signed.

    Raises:
        ImageError: a table in it is damaged.
    """
    function = dataset.text(parts.FUNCTION, frame) or "LINEAR"
    centers, widths = dataset.decimals(parts.CENTER, frame), dataset.decimals(parts.WIDTH, frame)
    pairs = list(zip(centers, widths, strict=False))[:_MOST_WINDOWS]
    if function == "LINEAR":
        pairs = [(center - 0.5, max(width - 1, _NARROWEST)) for center, width in pairs]
    elif function not in ("LINEAR_EXACT", "SIGMOID"):
        pairs = []
    pairs = [(center, width) for center, width in pairs if width >= _NARROWEST]
    windows = tuple(dict.fromkeys((center - width / 2, center + width / 2) for center, width in pairs))
    if not pairs:
        return _by_table(dataset, frame, signed=signed)
    if function != "SIGMOID":
        return Look(windows[0], windows=windows)
    center, width = pairs[0]
    places = np.linspace(-_REACH, _REACH, _CURVE_STEPS)
    levels = np.rint(255 / (1 + np.exp(-4 * places))).astype(np.uint8)
    return Look((center - _REACH * width, center + _REACH * width), levels.tobytes(), windows)


def _by_table(dataset: Dataset, frame: int, *, signed: bool) -> Look:
    described = dataset.value(parts.VOI_LUT, frame)
    if not described:
        return Look()
    first, levels = parts.table(dataset, parts.VOI_LUT, parts.VOI_LUT_VALUES, frame, signed=signed)
    if len(levels) < 2:
        return Look()
    bits = min(max(int(np.frombuffer(described, f"{dataset.syntax.order}u2")[2]), 8), 16)
    shown = np.minimum(np.rint(levels * (255 / (2**bits - 1))), 255).astype(np.uint8)
    window = float(first), float(first + len(levels) - 1)
    return Look(window, shown.tobytes(), (window,))
