"""Two engines or models on the same images: who is right more often, and what flipped which way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.trust.evaluation.answers import Judged
from core.trust.share import Share


@dataclass(frozen=True, slots=True)
class ClassFlip:
    """Images of one class that two runs call differently; names of classes, and positions."""

    truth: str
    first: str
    second: str
    images: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs over the images that both were judged on.

    Attributes:
        images: how many.
        both_right, both_wrong: images.
        first_only, second_only: positions of images that only one is right about.
        same: images to which both give the same class: agreement, which says nothing about who is right.
        difference: share right of the second less that of the first, -1..1, with the 95% interval ``low`` to ``high``
            of Newcombe (1998), method 10 for paired shares.
        p_value: of McNemar's (1947) test in its exact form: the two-sided binomial test of the images that only one
            is right about; 1 where there are none.
        flips: where the two differ, the most frequent first.
    """

    images: int
    both_right: int
    both_wrong: int
    first_only: tuple[int, ...]
    second_only: tuple[int, ...]
    same: Share
    difference: float
    low: float
    high: float
    p_value: float
    flips: tuple[ClassFlip, ...]


def compare_runs(
    first: Judged, first_classes: tuple[str, ...], second: Judged, second_classes: tuple[str, ...]
) -> Comparison | None:
    """Compare two runs, whose classes may differ; None where they share no image."""
    from scipy.stats import binomtest

    images, one, other = np.intersect1d(first.images, second.images, return_indices=True)
    if not len(images):
        return None
    right, also = first.right[one], second.right[other]
    only, but = int((right & ~also).sum()), int((~right & also).sum())
    both, neither = int((right & also).sum()), int((~right & ~also).sum())
    low, high = paired_interval(both, only, but, neither)
    names = np.array(first_classes, object)[first.said[one]], np.array(second_classes, object)[second.said[other]]
    differ = names[0] != names[1]
    found: dict[tuple[str, str, str], list[int]] = {}
    for row in np.flatnonzero(differ):
        truth = first_classes[first.truth[one[row]]]
        found.setdefault((truth, names[0][row], names[1][row]), []).append(int(images[row]))
    return Comparison(
        images=len(images),
        both_right=both,
        both_wrong=neither,
        first_only=tuple(map(int, images[right & ~also])),
        second_only=tuple(map(int, images[~right & also])),
        same=Share(int((~differ).sum()), len(images)),
        difference=(but - only) / len(images),
        low=low,
        high=high,
        p_value=float(binomtest(only, only + but).pvalue) if only + but else 1.0,
        flips=tuple(
            ClassFlip(*names, tuple(places))
            for names, places in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
        ),
    )


def paired_interval(both: int, first: int, second: int, neither: int) -> tuple[float, float]:
    """95% interval of the difference of two paired shares: the second's less the first's.

    Args:
        both, first, second, neither: images that both, only the first, only the second, or none is right about.

    Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10: the Wilson intervals of the two shares, joined by
    the correlation of the two, which is corrected for continuity where it is positive.
    """
    images = both + first + second + neither
    one, other = Share(both + first, images), Share(both + second, images)
    sides = (both + first) * (second + neither) * (both + second) * (first + neither)
    product = float(both * neither - first * second)
    if product > 0:
        product = max(product - images / 2, 0)
    phi = product / math.sqrt(sides) if sides else 0.0
    difference = other.value - one.value

    def reach(up: float, down: float) -> float:
        return math.sqrt(max(up * up - 2 * phi * up * down + down * down, 0.0))

    low = difference - reach(other.value - other.low, one.high - one.value)
    high = difference + reach(other.high - other.value, one.value - one.low)
    return max(low, -1.0), min(high, 1.0)
