"""Examples that are easy to make: a cloud of points for each class."""

from __future__ import annotations

import numpy as np

from core.teach.head import Examples


def clouds(classes: int, each: int, *, seed: int, width: int = 40, spread: float = 0.6) -> Examples:
    """``each`` examples of every class; the same classes whatever the ``seed``."""
    centres = np.random.default_rng(99).normal(size=(classes, width))
    random = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(classes), each)

    def draw() -> np.ndarray:
        return (centres[numbers] + spread * random.normal(size=(len(numbers), width))).astype(np.float32)

    return Examples(tuple(f"class {number}" for number in range(classes)), numbers, draw(), draw())
