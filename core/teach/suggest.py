"""What a head says of the images nobody has labelled: suggestions, what to look at first, and what is like what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.teach.head import Examples, Head

# Of a score for "none of these", measured on steel surfaces and flowers (docs/performance.md): the mean cosine to the
# nearest examples tells foreign photos (AUROC 0.98 to 1.00) and a class left out (0.94 to 0.96 on steel) from taught
# classes; Mahalanobis' distance 1.00 and 0.86 to 0.90, the largest logit over the features' norm 0.59 and 0.86 to 0.94.
NEAREST = 5
MOST_EXAMPLES = 2_000  # that an image is compared with, evenly over the classes
KNOWN_SHARE = 0.95  # of the examples themselves that the threshold lets through
CERTAINTY_STEP = 0.05  # differences of certainty below it say nothing
_ROWS = 2_048  # at once: 8 MB of features


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Of images, the class a head suggests; the columns are equally long.

    Attributes:
        classes: names.
        indices: positions in the stack, ascending; int64.
        numbers: place in ``classes`` of the most probable class; int64.
        confidences: its probability, 0..1; float32.
        margins: how far it leads the second, 0..1; float32.
        likeness: mean cosine to the nearest examples, -1..1; float32.
        threshold: of ``likeness``, below which an image shows none of the classes, unless a person moves it.
    """

    classes: tuple[str, ...]
    indices: NDArray[np.int64]
    numbers: NDArray[np.int64]
    confidences: NDArray[np.float32]
    margins: NDArray[np.float32]
    likeness: NDArray[np.float32]
    threshold: float

    def unknown(self, threshold: float | None = None) -> NDArray[np.bool_]:
        """Which show none of the classes."""
        return self.likeness < (self.threshold if threshold is None else threshold)

    def review_queue(self, labelled: Sequence[int] = ()) -> list[int]:
        """Positions of unlabelled images, what teaches most first: least certain, then least like the examples."""
        certainty = np.round(self.margins / CERTAINTY_STEP)
        order = np.lexsort((self.likeness, certainty))
        known = set(labelled)
        return [index for index in self.indices[order].tolist() if index not in known]

    def above(self, name: str, confidence: float, threshold: float | None = None) -> list[int]:
        """Positions of images suggested to be ``name`` with at least this confidence, unknown ones left out."""
        if name not in self.classes:
            return []
        sure = (self.numbers == self.classes.index(name)) & (self.confidences >= confidence)
        return [int(index) for index in self.indices[sure & ~self.unknown(threshold)]]


class Suggester:
    """A head and the examples it was fitted on, ready for any number of images."""

    def __init__(self, head: Head, given: Examples) -> None:
        self.head = head
        rows = _spread_over_classes(given)
        self._examples = _unit(head.standardised(given.features[rows]))
        others = self._examples @ self._examples.T
        np.fill_diagonal(others, -1)  # each against the others: nothing is less like the rest than a new image
        self.threshold = float(np.quantile(_nearest(others), 1 - KNOWN_SHARE))

    def suggest(self, indices: Sequence[int], features: NDArray[np.float32]) -> Suggestions:
        """For the images at ``indices`` (ascending) with these features, float32 ``[N, F]``."""
        parts = [self._part(features[start : start + _ROWS]) for start in range(0, len(features), _ROWS)]
        columns = zip(*parts, strict=True) if parts else ((np.zeros(0, np.float32),),) * 4
        numbers, confidences, margins, likeness = (np.concatenate(column) for column in columns)
        return Suggestions(
            self.head.classes,
            np.asarray(indices, np.int64),
            numbers.astype(np.int64),
            confidences,
            margins,
            likeness,
            self.threshold,
        )

    def _part(self, features: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        probabilities = self.head.probabilities(features)
        numbers = probabilities.argmax(axis=1)
        first_two = np.partition(probabilities, -2, axis=1)[:, -2:]
        likeness = _nearest(_unit(self.head.standardised(features)) @ self._examples.T)
        return numbers.astype(np.float32), first_two[:, 1], first_two[:, 1] - first_two[:, 0], likeness


def most_similar(features: NDArray[np.float32], row: int, count: int) -> list[int]:
    """The ``count`` rows of features ``[N, F]`` most like ``row``, best first, itself left out."""
    spread = features.std(axis=0)
    spread[spread == 0] = 1
    units = _unit((features - features.mean(axis=0)) / spread)
    likeness = units @ units[row]
    order = [int(other) for other in np.argsort(-likeness, kind="stable") if other != row]
    return order[:count]


def _spread_over_classes(given: Examples) -> NDArray[np.int64]:
    """At most ``MOST_EXAMPLES`` rows, as many of each class as there are or as fit."""
    if len(given) <= MOST_EXAMPLES:
        return np.arange(len(given))
    each = max(NEAREST, MOST_EXAMPLES // len(given.classes))
    rows = []
    for number in range(len(given.classes)):
        own = np.flatnonzero(given.numbers == number)
        rows.append(own[np.linspace(0, len(own) - 1, min(each, len(own))).astype(int)])
    return np.concatenate(rows)


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    units: NDArray[np.float32] = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    return units


def _nearest(likeness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean of the ``NEAREST`` largest of each row, or of all but what stands for itself."""
    count = min(NEAREST, max(likeness.shape[1] - 1, 1))
    nearest: NDArray[np.float32] = np.partition(likeness, -count, axis=1)[:, -count:].mean(axis=1)
    return nearest
