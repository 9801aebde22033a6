"""How well known images are told from foreign ones: what passes at each threshold of the known score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.trust.agreement import Z95
from core.trust.evaluation.answers import Judged
from core.trust.evaluation.figures import share_of
from core.trust.share import Share

CURVE = tuple(step / 100 for step in range(101))


@dataclass(frozen=True, slots=True)
class Passing:
    """The images whose known score is at least ``threshold``: of those that show a class, and of the foreign ones."""

    threshold: float
    known: Share
    foreign: Share


@dataclass(frozen=True, slots=True)
class Area:
    """Under the ROC curve: how often a known image has the higher score of a known and a foreign one, 0..1.

    ``low`` and ``high`` are its 95% interval by Hanley and McNeil (1982).
    """

    value: float
    low: float
    high: float


def can_tell(judged: Judged) -> bool:
    """Whether known scores were given."""
    return len(judged.known_scores) > 0


def passing(judged: Judged, thresholds: Sequence[float] = CURVE) -> tuple[Passing, ...]:
    """What passes at each threshold."""
    known, foreign = judged.known_scores, judged.foreign_scores
    return tuple(
        Passing(one, share_of(known >= np.float32(one)), share_of(foreign >= np.float32(one))) for one in thresholds
    )


def area(judged: Judged) -> Area | None:
    """None without foreign images."""
    known, foreign = judged.known_scores, judged.foreign_scores
    if not len(known) or not len(foreign):
        return None
    value = _area(known, foreign)
    both_known, both_foreign = value / (2 - value), 2 * value**2 / (1 + value)
    spread = value * (1 - value) + (len(known) - 1) * (both_known - value**2)
    spread += (len(foreign) - 1) * (both_foreign - value**2)
    reach = Z95 * math.sqrt(max(spread, 0.0) / (len(known) * len(foreign)))
    return Area(value, max(0.0, value - reach), min(1.0, value + reach))


def _area(known: NDArray[np.float32], foreign: NDArray[np.float32]) -> float:
    from sklearn.metrics import roc_auc_score

    is_known = np.concatenate([np.ones(len(known)), np.zeros(len(foreign))])
    return float(roc_auc_score(is_known, np.concatenate([known, foreign])))
