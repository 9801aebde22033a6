"""What a head says of the images nobody has labelled: suggestions, what to look at first, and what is like what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recognition.known import unit_rows
from core.recognition.results import THRESHOLD
from core.teach.head import Examples, Head
from core.trust.known import of_examples

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
        known_scores: share of the examples that are less like the others than this image, 0..1; float32.
        threshold: of ``known_scores``, below which an image shows none of the classes, unless a person moves it.
    """

    classes: tuple[str, ...]
    indices: NDArray[np.int64]
    numbers: NDArray[np.int64]
    confidences: NDArray[np.float32]
    margins: NDArray[np.float32]
    known_scores: NDArray[np.float32]
    threshold: float = THRESHOLD

    def unknown(self, threshold: float | None = None) -> NDArray[np.bool_]:
        """Which show none of the classes."""
        return self.known_scores < (self.threshold if threshold is None else threshold)

    def review_queue(self, labelled: Sequence[int] = ()) -> list[int]:
        """Positions of unlabelled images, what teaches most first: least certain, then least like the examples."""
        certainty = np.round(self.margins / CERTAINTY_STEP)
        order = np.lexsort((self.known_scores, certainty))
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
        self.known = of_examples(given.features, given.mirrored, given.numbers)

    def suggest(self, indices: Sequence[int], features: NDArray[np.float32]) -> Suggestions:
        """For the images at ``indices`` (ascending) with these features, float32 ``[N, F]``."""
        parts = [self._part(features[start : start + _ROWS]) for start in range(0, len(features), _ROWS)]
        columns = zip(*parts, strict=True) if parts else ((np.zeros(0, np.float32),),) * 4
        numbers, confidences, margins, known_scores = (np.concatenate(column) for column in columns)
        return Suggestions(
            self.head.classes,
            np.asarray(indices, np.int64),
            numbers.astype(np.int64),
            confidences,
            margins,
            known_scores,
        )

    def _part(self, features: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        probabilities = self.head.probabilities(features)
        numbers = probabilities.argmax(axis=1)
        first_two = np.partition(probabilities, -2, axis=1)[:, -2:]
        known_scores = self.known.scores(features).astype(np.float32)
        return numbers.astype(np.float32), first_two[:, 1], first_two[:, 1] - first_two[:, 0], known_scores


def most_similar(features: NDArray[np.float32], row: int, count: int) -> list[int]:
    """The ``count`` rows of features ``[N, F]`` most like ``row``, best first, itself left out."""
    spread = features.std(axis=0)
    spread[spread == 0] = 1
    units = unit_rows((features - features.mean(axis=0)) / spread)
    likeness = units @ units[row]
    order = [int(other) for other in np.argsort(-likeness, kind="stable") if other != row]
    return order[:count]
