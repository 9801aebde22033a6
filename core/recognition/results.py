"""What recognition returns: plain frozen values that pages, API and command line format as they need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.engines.engine import EngineName

TOP_K = 5


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class and its softmax probability (0..1)."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer of one engine for one image; ``error`` is set, and ``top`` empty, where the image is unreadable."""

    index: int
    filename: str
    top: tuple[ClassScore, ...]
    engine: EngineName
    model: str
    error: str | None = None

    @property
    def label(self) -> str:
        """The most probable class, or ``"error"``."""
        return self.top[0].label if self.top else "error"

    @property
    def confidence(self) -> float:
        """Probability of ``label``, 0..1; 0.0 for an error."""
        return self.top[0].confidence if self.top else 0.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of one run went.

    Attributes:
        total_seconds: wall-clock time of the run.
        wait_seconds: the part of it spent waiting for images that were not decoded yet.
        infer_seconds: time inside the engine, summed over calls that ran side by side, so it may exceed the total.
    """

    images: int
    total_seconds: float
    wait_seconds: float
    infer_seconds: float
    batch_size: int

    @property
    def images_per_second(self) -> float:
        """End-to-end throughput (images/s)."""
        return self.images / self.total_seconds if self.total_seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Recognition:
    """One finished run: predictions in the order asked, what produced them, and how long it took."""

    engine: EngineName
    precision: str
    model: str
    predictions: tuple[Prediction, ...]
    timing: Timing


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Row-wise softmax of float32 ``[B, classes]``, shifted by the row maximum against overflow."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def top_scores(logits: NDArray[np.float32], labels: tuple[str, ...], k: int = TOP_K) -> list[tuple[ClassScore, ...]]:
    """The ``k`` most probable classes of every row of ``logits`` (float32 ``[B, classes]``), best first."""
    probabilities = softmax(logits)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return [
        tuple(ClassScore(labels[column], float(row[column])) for column in columns)
        for row, columns in zip(probabilities, order, strict=True)
    ]
