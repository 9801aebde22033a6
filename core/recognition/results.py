"""What recognition returns: plain frozen values that pages, API and command line format as they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from core.engines.engine import EngineName
from core.images.pixels import RangeOf

TOP_K = 5
THRESHOLD = 0.05  # of ``known_score``: 95% of known images are kept
Float = TypeVar("Float", np.float32, np.float64)


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class and its softmax probability (0..1), at the model's temperature where it has one."""

    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine says of one image; see ``Prediction``."""

    top: tuple[ClassScore, ...]
    known_score: float | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer of one engine for one image; ``error`` is set, and ``top`` empty, where the image is unreadable.

    Attributes:
        index: position in the stack.
        filename: as in the stack.
        top: the best classes, best first.
        engine: who answered.
        model: with which model.
        error: why there is no answer, as a sentence.
        calibrated: whether a temperature was fitted, so that confidences say how often such answers are right.
        known_score: share of images like those the model was taught on that are less like them than this one, 0..1;
            None where nobody can tell.
        threshold: of ``known_score``, below which an image shows none of the classes.
        value_range: whose range of values the image was scaled by, which changes answers; None where by none.
    """

    index: int
    filename: str
    top: tuple[ClassScore, ...]
    engine: EngineName
    model: str
    error: str | None = None
    calibrated: bool = False
    known_score: float | None = None
    threshold: float = THRESHOLD
    value_range: RangeOf | None = None

    @property
    def known(self) -> bool | None:
        """Whether the image shows one of the classes; None where nobody can tell."""
        return None if self.known_score is None else self.known_score >= self.threshold

    @property
    def caption(self) -> str:
        """The most probable class, for people, or that it shows none of them."""
        return f"none of these (nearest: {self.label})" if self.known is False else self.label

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


def softmax(logits: NDArray[Float]) -> NDArray[Float]:
    """Row-wise softmax of ``[B, classes]``, shifted by the row maximum against overflow."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[Float] = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def top_scores(
    logits: NDArray[np.float32], labels: tuple[str, ...], k: int = TOP_K, temperature: float = 1.0
) -> list[tuple[ClassScore, ...]]:
    """The ``k`` most probable classes of every row of ``logits`` (float32 ``[B, classes]``), best first.

    Their order goes by the logits, so no ``temperature`` changes it.
    """
    probabilities = softmax(logits / np.float32(temperature))
    order = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return [
        tuple(ClassScore(labels[column], float(row[column])) for column in columns)
        for row, columns in zip(probabilities, order, strict=True)
    ]
