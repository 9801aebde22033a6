"""How well an engine does: accuracy where labels are known, agreement with another engine where they are not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.recognition.results import TOP_K, softmax

Z95 = 1.959964  # two-sided 95% quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of images whose known class is the answer (top-1) or among the five best (top-5); 0..1."""

    images: int
    top1: float
    top5: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two engines answer the same images. It says nothing about who is right.

    Attributes:
        images: n.
        top1: share of images with the same first class (0..1), ``low`` and ``high`` its Wilson 95% interval.
        top5: mean share of the five best classes they have in common.
        mean_drift, max_drift: difference of the reference's first class's probability, absolute.
        mean_kl: mean Kullback-Leibler divergence KL(reference || candidate), in nats.
    """

    images: int
    top1: float
    low: float
    high: float
    top5: float
    mean_drift: float
    max_drift: float
    mean_kl: float


def accuracy(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Accuracy:
    """Accuracy of ``logits`` (float32 ``[N, classes]``) against class indices ``labels`` (int ``[N]``)."""
    order = np.argsort(-logits, axis=1, kind="stable")[:, :TOP_K]
    hits = order == labels[:, None]
    return Accuracy(len(labels), float(hits[:, 0].mean()), float(hits.any(axis=1).mean()))


def agreement(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> Agreement:
    """Compare two engines' logits (both float32 ``[N, classes]``, N >= 1) for the same images.

    Raises:
        ValueError: the shapes differ or there are no images.
    """
    if reference.shape != candidate.shape or not len(reference):
        raise ValueError(f"expected two equal, non-empty [N, classes] arrays, got {reference.shape}, {candidate.shape}")
    p, q = softmax(reference.astype(np.float64)), softmax(candidate.astype(np.float64))
    first, rows = p.argmax(axis=1), np.arange(len(p))
    same = int((first == q.argmax(axis=1)).sum())
    best_p, best_q = (np.argsort(-values, axis=1, kind="stable")[:, :TOP_K] for values in (p, q))
    common = (best_p[:, :, None] == best_q[:, None, :]).any(axis=2).mean()
    drift = np.abs(p[rows, first] - q[rows, first])
    tiny = np.finfo(np.float64).tiny
    divergence = (p * (np.log(np.maximum(p, tiny)) - np.log(np.maximum(q, tiny)))).sum(axis=1)
    low, high = wilson_interval(same, len(p))
    return Agreement(
        images=len(p),
        top1=same / len(p),
        low=low,
        high=high,
        top5=float(common),
        mean_drift=float(drift.mean()),
        max_drift=float(drift.max()),
        mean_kl=max(0.0, float(divergence.mean())),  # never below 0 but for rounding
    )


def wilson_interval(hits: int, n: int) -> tuple[float, float]:
    """95% score interval of a proportion (Wilson 1927), which stays honest near 0 and 1 and for small n."""
    share, z2 = hits / n, Z95 * Z95
    centre = share + z2 / (2 * n)
    spread = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z2 / n)), min(1.0, (centre + spread) / (1 + z2 / n))
