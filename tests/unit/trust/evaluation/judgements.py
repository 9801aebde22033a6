"""Answers beside known classes, made up, and small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.trust.evaluation.answers import Judged


def judged(
    truth: Sequence[int], said: Sequence[int], confidence: Sequence[float] | float = 0.9, *, images: int = 0
) -> Judged:
    """Images from position ``images`` on, of which the best class alone is known."""
    confidences = np.full(len(truth), confidence) if isinstance(confidence, float) else np.array(confidence)
    return Judged(
        images=np.arange(images, images + len(truth)),
        truth=np.array(truth, np.int64),
        top=np.array(said, np.int64)[:, None],
        confidences=confidences.astype(np.float32)[:, None],
    )


def random_judged(images: int, classes: int, seed: int, *, right: float = 0.7) -> Judged:
    """Images of random classes, named rightly on a share ``right`` of them, with any confidence, five best each."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, images)
    order = np.array([random.permutation(classes) for _ in range(images)])
    hit = random.random(images) < right
    for row in np.flatnonzero(hit):
        place = int(np.flatnonzero(order[row] == truth[row])[0])
        order[row, [0, place]] = order[row, [place, 0]]
    scores = np.sort(random.dirichlet(np.ones(classes), images), axis=1)[:, ::-1]
    best = min(5, classes)
    return Judged(np.arange(images), truth, order[:, :best], scores[:, :best].astype(np.float32))
