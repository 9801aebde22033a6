"""Where two engines name different classes: what to look at first, and what a person says who is right."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

from core.engines.engine import EngineName
from core.recognition.results import Prediction
from core.recognition.stack_results import StackResults
from core.stacks.stack import ImageStack
from core.trust.agreement import wilson_interval

Mark = Literal["first", "second", "neither"]


@dataclass(frozen=True, slots=True)
class Flip:
    """An image that two engines name differently."""

    first: Prediction
    second: Prediction

    @property
    def index(self) -> int:
        """Its position in the stack."""
        return self.first.index

    @property
    def margin(self) -> float:
        """By how much each engine prefers its class to its second one, the smaller of both, 0..1.

        Near 0 one of them hardly decided, and the least rounding tips it; far from it, both are sure of other things.
        """
        return min(_lead(self.first), _lead(self.second))

    @property
    def confidence(self) -> float:
        """Of the surer engine, 0..1."""
        return max(self.first.confidence, self.second.confidence)


def flips(results: StackResults, first: EngineName, second: EngineName) -> list[Flip]:
    """The images that both engines have named, and differently, those that matter most first."""
    others = results.of(second)
    found = [
        Flip(one, others[index])
        for index, one in results.of(first).items()
        if index in others and one.error is None and others[index].error is None and one.label != others[index].label
    ]
    return sorted(found, key=lambda flip: (-flip.margin, -flip.confidence, flip.index))


@dataclass(frozen=True, slots=True)
class Tally:
    """What was said so far: how often each engine was right, and of the ``judged`` the share of the first one.

    ``low`` and ``high`` are the share's Wilson 95% interval; None where nothing was said.
    """

    first: int
    second: int
    neither: int
    low: float | None
    high: float | None

    @property
    def judged(self) -> int:
        """Images."""
        return self.first + self.second + self.neither


class Marks:
    """What a person says of the flips of one stack. Safe from any thread."""

    def __init__(self) -> None:
        self._marks: dict[tuple[int, str, str], Mark] = {}
        self._lock = threading.Lock()

    def of(self, flip: Flip) -> Mark | None:
        """What was said of it, if anything."""
        return self._marks.get(_key(flip))

    def set(self, flip: Flip, mark: Mark | None) -> None:
        """Say it, or take it back. It holds as long as the engines name these classes."""
        with self._lock:
            self._marks.pop(_key(flip), None)
            if mark is not None:
                self._marks[_key(flip)] = mark

    def tally(self, found: Iterable[Flip]) -> Tally:
        """Of these flips."""
        counts: Mapping[Mark | None, int] = Counter(self.of(flip) for flip in found)
        first, second, neither = (counts.get(mark, 0) for mark in ("first", "second", "neither"))
        judged = first + second + neither
        low, high = wilson_interval(first, judged) if judged else (None, None)
        return Tally(first, second, neither, low, high)


class Reviews:
    """The marks of every stack, for as long as the stack. One per process."""

    def __init__(self) -> None:
        self._marks: WeakKeyDictionary[ImageStack, Marks] = WeakKeyDictionary()

    def marks(self, stack: ImageStack) -> Marks:
        """Those of a stack."""
        return self._marks.setdefault(stack, Marks())


def _lead(prediction: Prediction) -> float:
    best = [score.confidence for score in prediction.top[:2]]
    return best[0] - best[1] if len(best) > 1 else best[0]


def _key(flip: Flip) -> tuple[int, str, str]:
    return flip.index, flip.first.label, flip.second.label
