"""How good a taught head is, as far as its own examples tell: cross-validation, what would help, likely mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.base.errors import InvalidRequest
from core.recognition.results import softmax
from core.teach.head import Examples, fit
from core.trust.share import Share

FOLDS = 5
MORE_FOLDS, MORE_FOLDS_UP_TO = 10, 400  # examples: small sets lose less to what is held out, and fit fast
FEW = 10  # examples of a class below which the estimate is rough
SHARES = (0.25, 0.5)  # of the examples, for the learning curve, which ends in all of them
MORE = 20  # examples, of which the advice speaks
MISTAKE_LEAD = 0.5  # by so much another class must be more probable than the given one


@dataclass(frozen=True, slots=True)
class Mistake:
    """An example whose label the other examples contradict; ``row`` is its place among them, ``lead`` 0..1."""

    row: int
    given: str
    likely: str
    lead: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Share right with so many examples a class, on average."""

    examples_per_class: float
    share: Share


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """What cross-validation finds; each example is judged by a head that has not seen it nor its mirror image.

    Attributes:
        classes: names, in the order of all that follows.
        accuracy: over all examples.
        per_class: of each class's examples.
        confusion: int64 ``[C, C]``, given class by named class.
        logits: float32 ``[N, C]``, of each example.
        curve: with fewer examples, and with all.
        helps_most: the class of which ``MORE`` examples would help most, by the slope of its own curve.
        mistakes: likely wrong labels, the surest first.
        notes: sentences about what is too little to say much.
    """

    classes: tuple[str, ...]
    accuracy: Share
    per_class: tuple[Share, ...]
    confusion: NDArray[np.int64]
    logits: NDArray[np.float32]
    curve: tuple[CurvePoint, ...]
    helps_most: str
    mistakes: tuple[Mistake, ...]
    notes: tuple[str, ...]


def cross_validate(
    given: Examples, *, curve: bool = True, seed: int = 0, check: Callable[[], None] = lambda: None
) -> CrossValidation:
    """Cross-validate; ``curve`` fits three times as many heads. Before each fit, ``check`` may raise what ends it.

    Raises:
        InvalidRequest: a class has fewer than three examples, so that none can be held out.
    """
    given.check()
    if given.counts.min() < 3:
        name = given.classes[int(given.counts.argmin())]
        raise InvalidRequest(f"Judging needs three labelled images of each class; {name!r} has {given.counts.min()}.")
    logits = _held_out(given, 1.0, seed, check)
    named = logits.argmax(axis=1)
    confusion = np.zeros((len(given.classes),) * 2, np.int64)
    np.add.at(confusion, (given.numbers, named), 1)
    shares = {share: _held_out(given, share, seed, check) for share in SHARES} if curve else {}
    points = [(share, found.argmax(axis=1)) for share, found in shares.items()] + [(1.0, named)]
    return CrossValidation(
        classes=given.classes,
        accuracy=_share(named == given.numbers),
        per_class=tuple(_share((named == number)[given.numbers == number]) for number in range(len(given.classes))),
        confusion=confusion,
        logits=logits,
        curve=tuple(
            CurvePoint(share * float(given.counts.mean()), _share(found == given.numbers)) for share, found in points
        ),
        helps_most=_helps_most(given, [found for _, found in points]),
        mistakes=_mistakes(given, softmax(logits)),
        notes=_notes(given),
    )


def _held_out(given: Examples, share: float, seed: int, check: Callable[[], None]) -> NDArray[np.float32]:
    """Logits ``[N, C]`` by heads fitted on a ``share`` of the other folds' examples."""
    found = np.zeros((len(given), len(given.classes)), np.float32)
    for learn, judge in _folds(given, seed):
        check()
        if share < 1:
            learn = _thinned(given, learn, share)  # noqa: PLW2901
        found[judge] = fit(given.subset(learn)).logits(given.features[judge])
    return found


def _folds(given: Examples, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to learn from and rows to judge, in folds with each class in its share."""
    from sklearn.model_selection import StratifiedKFold

    folds = MORE_FOLDS if len(given) <= MORE_FOLDS_UP_TO else FOLDS
    # With as many folds as a class has examples, every fold leaves it all but one.
    folds = max(2, min(folds, int(given.counts.min())))
    yield from StratifiedKFold(folds, shuffle=True, random_state=seed).split(given.features, given.numbers)


def _thinned(given: Examples, rows: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """A share of ``rows``, at least two of each class."""
    kept = []
    for number in range(len(given.classes)):
        own = rows[given.numbers[rows] == number]
        kept.append(own[: max(2, math.ceil(share * len(own)))])
    return np.concatenate(kept)


def _share(right: NDArray[np.bool_]) -> Share:
    return Share(int(right.sum()), len(right))


def _helps_most(given: Examples, named: Sequence[NDArray[np.int64]]) -> str:
    """The class that would gain most: what its share right rose by with the last doubling, for ``MORE`` examples.

    Where no curve rises, or there is none, the class that most is wrong about.
    """
    gains, errors = [], []
    for number, count in enumerate(given.counts):
        own = given.numbers == number
        shares = [float((found[own] == number).mean()) for found in named]
        rise = shares[-1] - shares[-2] if len(shares) > 1 else 0.0
        gains.append(rise * math.log2((count + MORE) / count) * min(1.0, 1 - shares[-1]))
        errors.append(1 - shares[-1])
    best = gains if max(gains) > 0 else errors
    return given.classes[int(np.argmax(best))]


def _mistakes(given: Examples, probabilities: NDArray[np.float32]) -> tuple[Mistake, ...]:
    rows = np.arange(len(given))
    named = probabilities.argmax(axis=1)
    lead = probabilities[rows, named] - probabilities[rows, given.numbers]
    order = [int(row) for row in np.argsort(-lead, kind="stable") if lead[row] >= MISTAKE_LEAD]
    return tuple(
        Mistake(row, given.classes[given.numbers[row]], given.classes[named[row]], float(lead[row])) for row in order
    )


def _notes(given: Examples) -> tuple[str, ...]:
    few = [name for name, count in zip(given.classes, given.counts, strict=True) if count < FEW]
    if not few:
        return ()
    names = ", ".join(few[:5]) + (", ..." if len(few) > 5 else "")
    return (f"Fewer than {FEW} examples of {names}: the estimate is rough. Label more of them.",)
