"""What one engine of one model says of images, as arrays: small enough to keep for every run over a stack."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.recognition.results import TOP_K, Prediction

_NOT_ASKED, _UNREADABLE = -2, -1


def _no_scores() -> NDArray[np.float32]:
    return np.zeros(0, np.float32)


class KeptAnswers:
    """The five best classes of each image of a stack, as far as they are known. Safe from any thread."""

    def __init__(self, images: int, classes: Sequence[str]) -> None:
        """``images`` is the stack's length, ``classes`` are the model's, each name once."""
        self._places: Mapping[str, int] = {name: place for place, name in enumerate(classes)}
        self._width = min(TOP_K, len(classes))
        self._top = np.full((images, self._width), _NOT_ASKED, np.int32)
        self._confidences = np.zeros((images, self._width), np.float32)
        self._known = np.full(images, np.nan, np.float32)
        self._lock = threading.Lock()

    def add(self, predictions: Iterable[Prediction]) -> None:
        """Keep answers; each replaces an older one for the same image."""
        with self._lock:
            for one in predictions:
                self._top[one.index] = _UNREADABLE
                self._known[one.index] = np.nan if one.known_score is None else one.known_score
                for rank, score in enumerate(one.top[: self._width]):
                    self._top[one.index, rank] = self._places[score.label]
                    self._confidences[one.index, rank] = score.confidence

    def missing(self, indices: Sequence[int]) -> list[int]:
        """Those of ``indices`` that there is no answer for."""
        with self._lock:
            return [index for index in indices if self._top[index, 0] == _NOT_ASKED]

    def of(self, truth: Mapping[int, int], foreign: Sequence[int] = ()) -> Judged:
        """The answers to images whose classes are known: place of the class by position, each with an answer.

        ``foreign`` are images that show none of the classes, of which the known scores alone count.
        """
        images = np.fromiter(truth, np.int64, len(truth))
        classes = np.fromiter(truth.values(), np.int64, len(truth))
        with self._lock:
            top, confidences = self._top[images].astype(np.int64), self._confidences[images]
            known, strange = self._known[images], self._known[list(foreign)]
        readable = top[:, 0] >= 0
        return Judged(
            images=images[readable],
            truth=classes[readable],
            top=top[readable],
            confidences=confidences[readable],
            unreadable=tuple(map(int, images[~readable])),
            known_scores=known[~np.isnan(known)],
            foreign_scores=strange[~np.isnan(strange)],
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """Answers beside the known classes, for N images.

    Attributes:
        images: positions in the stack, int64 ``[N]``, ascending.
        truth: place of the known class, int64 ``[N]``.
        top: places of the best classes, best first, int64 ``[N, K]``, K at most 5; -1 where there are fewer.
        confidences: of these, float32 ``[N, K]``, 0..1.
        unreadable: positions of images that could not be read, which are in none of these.
        known_scores: of these images, float32 ``[M]``, 0..1; empty where the model cannot tell.
        foreign_scores: of images whose label is none of the model's classes, float32 ``[F]``.
    """

    images: NDArray[np.int64]
    truth: NDArray[np.int64]
    top: NDArray[np.int64]
    confidences: NDArray[np.float32]
    unreadable: tuple[int, ...] = ()
    known_scores: NDArray[np.float32] = field(default_factory=_no_scores)
    foreign_scores: NDArray[np.float32] = field(default_factory=_no_scores)

    @property
    def said(self) -> NDArray[np.int64]:
        """Place of the class that was named, int64 ``[N]``."""
        return self.top[:, 0]

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Confidence of the class that was named, float32 ``[N]``, 0..1."""
        return self.confidences[:, 0]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the class that was named is the known one, bool ``[N]``."""
        right: NDArray[np.bool_] = self.said == self.truth
        return right

    @property
    def rank(self) -> NDArray[np.int64]:
        """Which of the best classes the known one is, int64 ``[N]`` from 1; 0 where it is none of them."""
        hits = self.top == self.truth[:, None]
        return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)
