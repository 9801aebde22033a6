"""The expected calibration error by bins of confidence: Naeini, Cooper and Hauskrecht 2015."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 15  # of equal width


def bins_of(confidences: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number of each confidence's bin, ``[N]``, from 0."""
    numbers: NDArray[np.int64] = np.minimum((confidences * BINS).astype(np.int64), BINS - 1)
    return numbers


def binned_error(numbers: NDArray[np.int64], gaps: NDArray[np.float64]) -> float:
    """The error, 0..1, of answers in these bins; gaps ``[N]`` are 1 or 0, for right or not, less the confidence."""
    return float(np.abs(np.bincount(numbers, weights=gaps, minlength=BINS)).sum() / len(gaps))
