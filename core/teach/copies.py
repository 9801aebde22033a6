"""Copies of model inputs that show the same things otherwise: shifted, in another light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHIFT = 16  # pixels, at most
# Factor and difference of values 0 to 255. Of all copies tried with a linear head (docs/performance.md) those in other
# light help most; shifted ones do nothing, and scaled ones harm.
CONTRAST, BRIGHTNESS = (0.8, 1.25), (-15.0, 15.0)


def lit(inputs: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Each of uint8 ``[N, H, W, 3]`` with contrast and brightness of its own, by the seed alone."""
    random = np.random.default_rng(seed)
    copies = np.empty_like(inputs)
    for row, image in enumerate(inputs):
        other = image * np.float32(random.uniform(*CONTRAST)) + np.float32(random.uniform(*BRIGHTNESS))
        copies[row] = other.clip(0, 255)
    return copies


def shifted(inputs: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Each of uint8 ``[N, H, W, 3]`` shifted in a way of its own, its edges reflected, by the seed alone."""
    random = np.random.default_rng(seed)
    height, width = inputs.shape[1:3]
    copies = np.empty_like(inputs)
    for row, (down, right) in enumerate(random.integers(0, 2 * SHIFT + 1, (len(inputs), 2))):
        padded = np.pad(inputs[row], ((SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="reflect")
        copies[row] = padded[down : down + height, right : right + width]
    return copies
