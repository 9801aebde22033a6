"""What is known of the images that a model was taught on, from their features; ``core.recognition.known`` uses it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.recognition.known import LEVELS, Known, distance_to_nearest, levels_of, mean_of_largest, unit_rows

# Chosen on half of Caltech-101's BACKGROUND photos (python -m scripts.measure_known): fewer axes, or less shrinking,
# tell foreign photos a little less well; all 960 axes would make the file three times as large.
AXES = 384
SHRINKING = 0.1  # towards the same spread along every axis, as if so much of the spread had no direction
EARLY = 192  # features of the first two stages
EARLY_SHARE = 0.5  # of the early distance's spread among known images, beside that of the cosine
# Measured on steel surfaces and flowers (docs/performance.md): the nearest examples tell a class that was left out
# better than anything that was fitted to a few dozen of them.
NEAREST = 5
MOST_EXAMPLES = 2_000  # that an image is compared with, evenly over the classes


def of_classes(features: NDArray[np.float32], numbers: NDArray[np.int64], others: NDArray[np.float32]) -> Known:
    """For a model with many images of every class: the references are the classes' means.

    Args:
        features: float32 ``[N, F]``, of images that the model was taught on.
        numbers: their classes, int ``[N]``, from 0 without gaps.
        others: features of known images that it was not taught on, which the levels are measured on.
    """
    mean, scale = features.mean(axis=0), (1 / _spread(features)).astype(np.float32)
    standardised = (features - mean) * scale
    means = np.stack([standardised[numbers == number].mean(axis=0) for number in range(int(numbers.max()) + 1)])
    differences = standardised - means[numbers]
    axes, early_axes = _axes(differences, AXES), _axes(differences[:, :EARLY], EARLY)
    references, early_means = unit_rows(means @ axes), means[:, :EARLY] @ early_axes
    directions_alone = Known(mean, scale, axes, references, 1, np.zeros(LEVELS, np.float32))
    distances = distance_to_nearest(((others - mean) * scale)[:, :EARLY] @ early_axes, early_means)
    spread = max(float(distances.std()), float(np.finfo(np.float32).tiny))
    weight = EARLY_SHARE * float(directions_alone.likeness(others).std()) / spread
    known = replace(directions_alone, early_axes=early_axes, early_means=early_means, early_weight=weight)
    return replace(known, levels=levels_of(known.likeness(others)))


def of_examples(
    features: NDArray[np.float32], mirrored: NDArray[np.float32], numbers: NDArray[np.int64], used: int = 0
) -> Known:
    """For a model that was taught by a few examples, which are the references themselves.

    Each is measured by the others: nothing is less like the rest than a new image.

    Args:
        features: float32 ``[N, F]``, of the examples.
        mirrored: those of the mirror images, which count for mean and spread.
        numbers: their classes, int ``[N]``.
        used: how many features count, the first ones; 0 is all of them.
    """
    both = np.concatenate([features, mirrored])
    mean, scale = both.mean(axis=0), (1 / _spread(both)).astype(np.float32)
    if used:
        scale[used:] = 0
    rows = _evenly(numbers)
    references = unit_rows((features[rows] - mean) * scale)
    cosines = references @ references.T
    np.fill_diagonal(cosines, -1)
    nearest = max(min(NEAREST, len(rows) - 1), 1)
    return Known(mean, scale, None, references, nearest, levels_of(mean_of_largest(cosines, nearest)))


def _axes(differences: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """At most ``count`` axes ``[F, K]`` along which ``differences`` from the classes' means have equal spread."""
    covariance = (differences.T @ differences / len(differences)).astype(np.float64)
    width = len(covariance)
    covariance = (1 - SHRINKING) * covariance + SHRINKING * np.trace(covariance) / width * np.eye(width)
    spreads, directions = np.linalg.eigh(covariance)
    largest = np.argsort(-spreads)[:count]
    axes: NDArray[np.float32] = (directions[:, largest] / np.sqrt(spreads[largest])).astype(np.float32)
    return axes


def _spread(features: NDArray[np.float32]) -> NDArray[np.float32]:
    spread: NDArray[np.float32] = features.std(axis=0)
    spread[spread == 0] = 1
    return spread


def _evenly(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most ``MOST_EXAMPLES`` rows, as many of each class as there are or as fit."""
    if len(numbers) <= MOST_EXAMPLES:
        return np.arange(len(numbers))
    classes = np.unique(numbers)
    each = max(NEAREST, MOST_EXAMPLES // len(classes))
    rows = []
    for number in classes:
        own = np.flatnonzero(numbers == number)
        rows.append(own[np.linspace(0, len(own) - 1, min(each, len(own))).astype(int)])
    return np.concatenate(rows)
