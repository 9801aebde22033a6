"""Reckoning with the samples of a huge frame, whose intermediate values would take many times its memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

BAND_SAMPLES = 1024 * 1024


def in_bands(
    samples: NDArray[Any], dtype: DTypeLike, work: Callable[[NDArray[Any]], NDArray[Any]], size: int = BAND_SAMPLES
) -> NDArray[Any]:
    """What ``work`` makes of ``samples`` sample by sample, as an array of the same shape and of ``dtype``.

    Args:
        samples: of any shape ``[H, ...]``.
        dtype: of the result, to which what ``work`` gives is cast.
        work: gets some rows at a time.
        size: samples in them, at least one row.
    """
    made = np.empty(samples.shape, dtype)
    rows = max(1, size * len(samples) // max(samples.size, 1))
    for start in range(0, len(samples), rows):
        made[start : start + rows] = work(samples[start : start + rows])
    return made
