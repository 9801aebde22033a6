"""Whether confidences say how often answers are right: reliability, and what answering only sure ones would bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.trust.bins import BINS, binned_error, bins_of
from core.trust.evaluation.answers import Judged
from core.trust.evaluation.figures import share_of
from core.trust.share import Share

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
CURVE_POINTS = 200
DRAWS = 1000  # of the bootstrap


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose confidence is from ``low`` up to ``high``; ``confidence`` is their mean."""

    low: float
    high: float
    confidence: float
    right: Share


@dataclass(frozen=True, slots=True)
class Reliability:
    """Confidences beside shares right.

    Attributes:
        bins: those of ``BINS`` bins of equal width that hold answers.
        error: expected calibration error (Naeini, Cooper and Hauskrecht 2015), 0..1: the mean distance between a
            bin's confidence and its share right, over all images.
        error_low, error_high: its 95% interval: the bootstrap over images (Davison and Hinkley 1997), of its basic and
            its percentile interval the wider end each, because chance alone adds to a mean of distances; from 0 where
            the error may be one of chance.
        by_chance: calibrated answers of these confidences show at most this error 97.5 times of 100 on as many images
            (consistency resampling: Bröcker and Smith 2007).
        confidence: mean over all images.
    """

    bins: tuple[Bin, ...]
    error: float
    error_low: float
    error_high: float
    by_chance: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """What answering only at least this sure would bring: the share of images answered, and of these the right ones."""

    threshold: float
    answered: Share
    right: Share


def reliability(judged: Judged, *, draws: int = DRAWS, seed: int = 0) -> Reliability:
    """Confidences in ``BINS`` bins, for at least one image."""
    confidence = judged.confidence.astype(np.float64)
    right = judged.right
    number = bins_of(confidence)
    gaps = right - confidence
    error = binned_error(number, gaps)
    random = np.random.default_rng(seed)
    found, calibrated = np.empty(draws), np.empty(draws)
    for draw in range(draws):
        drawn = random.integers(0, len(gaps), len(gaps))
        found[draw] = binned_error(number[drawn], gaps[drawn])
        calibrated[draw] = binned_error(number, (random.random(len(gaps)) < confidence) - confidence)
    low, high = map(float, np.quantile(found, (0.025, 0.975)))
    by_chance = float(np.quantile(calibrated, 0.975))
    groups = [(place, number == place) for place in np.unique(number).tolist()]
    return Reliability(
        bins=tuple(
            Bin(place / BINS, (place + 1) / BINS, float(confidence[rows].mean()), share_of(right[rows]))
            for place, rows in groups
        ),
        error=error,
        error_low=0.0 if error <= by_chance else max(min(2 * error - high, low), 0.0),
        error_high=min(max(2 * error - low, high), 1.0),
        by_chance=by_chance,
        confidence=float(confidence.mean()),
    )


def coverage(judged: Judged, threshold: float) -> Coverage:
    """What answering only with a confidence of at least ``threshold`` would bring."""
    answered = judged.confidence >= np.float32(threshold)
    return Coverage(threshold, share_of(answered), share_of(judged.right[answered]))


def curve(judged: Judged, points: int = CURVE_POINTS) -> tuple[Coverage, ...]:
    """From all images to the surest few: at most ``points`` thresholds, each a confidence that occurs, ascending.

    The risk-coverage curve of El-Yaniv and Wiener (2010); the risk is the share of answers that are not right.
    """
    order = np.argsort(-judged.confidence, kind="stable")
    confidence, hits = judged.confidence[order], np.cumsum(judged.right[order])
    # Equally sure images are answered together.
    ends = np.flatnonzero(np.append(confidence[:-1] != confidence[1:], True))
    if len(ends) > points:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, points).round().astype(np.int64))]
    images = len(order)
    return tuple(
        Coverage(float(confidence[end]), Share(int(end) + 1, images), Share(int(hits[end]), int(end) + 1))
        for end in ends[::-1]
    )


def at(judged: Judged, thresholds: Sequence[float] = THRESHOLDS) -> tuple[Coverage, ...]:
    """``coverage`` at each threshold."""
    return tuple(coverage(judged, threshold) for threshold in thresholds)
