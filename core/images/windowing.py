"""Window and level: which values of an image are shown from black to white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.images.formats.format import Pixels, by_strips
from core.images.pixels import scale_any, to_rgb


def apply_window(samples: Pixels, low: float, high: float, *, invert: bool = False) -> NDArray[np.uint8]:
    """``samples`` (``[H, W, C]``) as uint8 ``[H, W, 3]``: ``low`` becomes 0, ``high`` 255.

    Values outside are clipped, as with DICOM's linear window (PS3.3, C.11.2.1.2). ``invert`` exchanges black and
    white. Transparency is left as it is, over white.

    Raises:
        ValueError: ``low`` is not below ``high``.
    """
    if low >= high:
        raise ValueError(f"expected low < high, got {low} and {high}")
    if samples.dtype not in (np.uint8, np.uint16):
        shown = by_strips(samples, np.uint8, lambda band: scale_any(band, low, high))
        return to_rgb(255 - shown if invert else shown)
    values = np.arange(np.iinfo(samples.dtype).max + 1, dtype=np.float64)
    levels = np.clip((values - low) * 255 / (high - low), 0, 255).round().astype(np.uint8)
    if invert:
        levels = 255 - levels
    has_alpha = samples.shape[2] in (2, 4)
    if not has_alpha:
        return to_rgb(levels[samples])
    alpha = samples[..., -1:] if samples.dtype == np.uint8 else (samples[..., -1:] // 257).astype(np.uint8)
    return to_rgb(np.concatenate([levels[samples[..., :-1]], alpha], axis=2))
