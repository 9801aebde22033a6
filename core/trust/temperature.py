"""Temperature scaling (Guo et al. 2017): one number that makes confidences honest and changes no answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.engines.engine import EngineName
from core.engines.registry import engines
from core.models.card import TEMPERATURES, Temperature
from core.recognition.results import softmax
from core.trust.bins import binned_error, bins_of

MIN_IMAGES = 20  # labelled ones; fewer say nothing about how often an answer is right
_HALVINGS = 60  # of the range in which the temperature lies


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature that makes the known classes most likely.

    Args:
        logits: float32 ``[N, classes]``, of images that the network has not learnt from.
        labels: class indices int ``[N]``.

    They are taken for a little less than certain, as Platt (1999) does: where all of a few images are right, nothing
    else would keep the confidences from becoming 1.
    """
    count, classes = logits.shape
    doubt = 1 / (count + 2)
    targets = np.full((count, classes), doubt / max(classes - 1, 1))
    targets[np.arange(count), labels] = 1 - doubt
    return fit_to_probabilities(logits, targets)


def fit_to_probabilities(logits: NDArray[np.float32], targets: NDArray[np.float64]) -> float:
    """The temperature of ``logits`` (float32 ``[N, classes]``) that comes closest to ``targets`` (the same shape).

    The likelihood has one maximum, where the mean logit under the network's probabilities is that under the targets.
    """
    values = logits.astype(np.float64)
    goal = float((targets * values).sum(axis=1).mean())
    low, high = TEMPERATURES
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(low * high))
        mean = float((softmax(values / middle) * values).sum(axis=1).mean())
        # The colder, the larger the mean logit.
        low, high = (middle, high) if mean > goal else (low, middle)
    return high


def calibration_error(logits: NDArray[np.float32], labels: NDArray[np.int64], temperature: float = 1.0) -> float:
    """Expected calibration error, 0..1, in ``BINS`` bins of equal width: how far confidences are from shares right."""
    probabilities = softmax(logits.astype(np.float64) / temperature)
    confidences, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    return binned_error(bins_of(confidences), right - confidences)


def fitted(
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    source: str,
    others: tuple[NDArray[np.float32], NDArray[np.int64]] | None = None,
) -> Temperature:
    """A temperature for a card.

    Args:
        logits: float32 ``[N, classes]``, N >= 2.
        labels: class indices int ``[N]``.
        source: see ``Temperature``.
        others: logits and labels of images that judge; without them each half of the images judges what the other
            half says, and all of them fit.
    """
    value = fit_temperature(logits, labels)
    if others is not None:
        return _judged(value, len(labels), source, [(*others, value)])
    halves = [np.arange(start, len(labels), 2) for start in (0, 1)]
    temperatures = [fit_temperature(logits[half], labels[half]) for half in halves]
    return _judged(
        value,
        len(labels),
        source,
        [(logits[half], labels[half], other) for half, other in zip(halves, reversed(temperatures), strict=True)],
    )


def alike(logits: NDArray[np.float32], reference: NDArray[np.float32], known: Temperature, source: str) -> Temperature:
    """The temperature that brings an engine's confidences close to those of another, whose temperature is ``known``.

    No class needs to be known; both logits are float32 ``[N, classes]`` of the same images.
    """
    value = fit_to_probabilities(logits, softmax(reference.astype(np.float64) / known.value))
    return Temperature(value=value, images=len(logits), source=source, judged=0)


def fp32_engines() -> tuple[EngineName, ...]:
    """Engines that compute the same logits, but for rounding in the last digits: they share a temperature."""
    return tuple(engine.name for engine in engines() if engine.precision == "FP32")


def _judged(
    value: float, images: int, source: str, parts: list[tuple[NDArray[np.float32], NDArray[np.int64], float]]
) -> Temperature:
    scaled = np.concatenate([logits / np.float32(temperature) for logits, _, temperature in parts])
    plain, labels = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    return Temperature(
        value=value,
        images=images,
        source=source,
        judged=len(labels),
        error_before=calibration_error(plain, labels),
        error_after=calibration_error(scaled, labels),
    )
