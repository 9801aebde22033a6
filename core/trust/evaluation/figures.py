"""The figures of one engine: accuracy, each class, who is taken for whom, the worst images.

Every share is one of images and has its Wilson (1927) 95% interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recognition.results import TOP_K
from core.trust.evaluation.answers import Judged
from core.trust.share import Share


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How well one class is recognised.

    Attributes:
        place: in the model's classes.
        recall: of the images that show it, those that were called so.
        precision: of the images that were called so, those that show it. It goes by how many images of each class
            there are.
        f1: harmonic mean of the two, 0..1, with ``f1_low`` and ``f1_high``.
    """

    place: int
    recall: Share
    precision: Share
    f1: float
    f1_low: float
    f1_high: float


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Images that show the class at place ``truth`` and were called ``said``; ``images`` are positions."""

    truth: int
    said: int
    images: tuple[int, ...]


def top_1(judged: Judged) -> Share:
    """Images whose known class was named."""
    return share_of(judged.right)


def top_5(judged: Judged, classes: int) -> Share | None:
    """Images whose known class is among the five best; None of a model that knows no more than these."""
    return share_of(judged.rank > 0) if classes > TOP_K else None


def per_class(judged: Judged) -> tuple[ClassFigures, ...]:
    """The classes that an image shows or was called, in the model's order."""
    from sklearn.metrics import precision_recall_fscore_support

    places = np.union1d(judged.truth, judged.said)
    _, _, scores, shown = precision_recall_fscore_support(
        judged.truth, judged.said, labels=places, average=None, zero_division=0.0
    )
    hits = np.bincount(judged.truth[judged.right], minlength=int(places.max()) + 1)[places]
    called = np.bincount(judged.said, minlength=int(places.max()) + 1)[places]
    return tuple(
        _class_figures(int(place), int(hit), int(there), int(named), float(score))
        for place, hit, there, named, score in zip(places, hits, shown, called, scores, strict=True)
    )


def _class_figures(place: int, hits: int, shown: int, called: int, score: float) -> ClassFigures:
    # With J = hits / (shown or called), which is a share of images, F1 is 2J / (1 + J): it rises with J, so that the
    # ends of J's interval are the ends of F1's.
    either = Share(hits, shown + called - hits)
    low, high = (2 * end / (1 + end) for end in (either.low, either.high))
    return ClassFigures(place, Share(hits, shown), Share(hits, called), score, low, high)


def pairs(judged: Judged) -> tuple[ConfusedPair, ...]:
    """Who was taken for whom, the most frequent first; of equally many, the class that is taken wrong more often."""
    wrong = np.flatnonzero(~judged.right)
    found: dict[tuple[int, int], list[int]] = {}
    for row in wrong:
        found.setdefault((int(judged.truth[row]), int(judged.said[row])), []).append(int(judged.images[row]))
    shown = np.bincount(judged.truth)
    ordered = sorted(found.items(), key=lambda one: (-len(one[1]), -len(one[1]) / shown[one[0][0]], one[0]))
    return tuple(ConfusedPair(truth, said, tuple(images)) for (truth, said), images in ordered)


def images_of(judged: Judged, truth: int, said: int) -> list[int]:
    """Positions of the images that show the class at place ``truth`` and were called ``said``."""
    return [int(index) for index in judged.images[(judged.truth == truth) & (judged.said == said)]]


def most_confused(judged: Judged, most: int) -> list[int]:
    """Places of at most ``most`` classes, ascending: all that occur, or those of the most frequent errors."""
    there = np.union1d(judged.truth, judged.said)
    if len(there) <= most:
        return [int(place) for place in there]
    chosen: dict[int, None] = {}
    for pair in pairs(judged):
        chosen |= {pair.truth: None, pair.said: None} if len(chosen) + 2 <= most else {}
    counts = np.bincount(judged.truth, minlength=int(there.max()) + 1)[there]
    for place in there[np.argsort(-counts, kind="stable")]:
        if len(chosen) < most:
            chosen[int(place)] = None
    return sorted(chosen)


def confusion(judged: Judged, places: list[int]) -> NDArray[np.int64]:
    """Counts int64 ``[P, P + 1]`` of the classes at ``places``: known by named class, all other named ones last."""
    from sklearn.metrics import confusion_matrix

    order = np.array(places)
    inside = np.isin(judged.truth, order)
    other = -1  # no place of a class
    said = np.where(np.isin(judged.said, order), judged.said, other)
    labels = [*places, other]
    counts = confusion_matrix(np.append(judged.truth[inside], other), np.append(said[inside], other), labels=labels)
    rows: NDArray[np.int64] = counts[:-1].astype(np.int64)
    return rows


def worst(judged: Judged) -> NDArray[np.int64]:
    """Rows of ``judged`` that are wrong, int64: the surest first, and of equally sure ones the least of the known."""
    rows = np.flatnonzero(~judged.right)
    known = known_confidence(judged)
    return rows[np.lexsort((judged.images[rows], known[rows], -judged.confidence[rows]))]


def known_confidence(judged: Judged) -> NDArray[np.float32]:
    """Confidence of the known class, float32 ``[N]``; 0 where it is not among the best."""
    rank = judged.rank
    rows = np.arange(len(rank))
    return np.where(rank > 0, judged.confidences[rows, np.maximum(rank, 1) - 1], np.float32(0))


def share_of(hits: NDArray[np.bool_]) -> Share:
    """The share of True."""
    return Share(int(hits.sum()), len(hits))
