"""Learning for longer, where that is better on examples not seen; else the linear head stays.

Two ways are tried on the same folds: a head that has also seen the examples in another light, and from there the last
stage trained, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.base.errors import InvalidRequest
from core.base.worker_process import Event, WorkerProcess
from core.models.model import Model
from core.recognition.results import softmax
from core.teach.copies import lit
from core.teach.head import Examples, Head, fit

WORKER = "core.teach.longer_worker"
HEAD, STAGE = "a head over the examples in another light", "the last stage trained, too"
Look = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
MAX_IMAGES = 1_200  # four copies of what the third stage puts out take 400 kB each
MIN_EACH = 6  # examples of a class: fewer judge nothing
FOLDS = 3
ONE_SPLIT_ABOVE = 300  # examples: then a fifth of them judges, and training once takes long enough


@dataclass(frozen=True, slots=True)
class LongerComparison:
    """The linear head and what was learnt for longer, on examples that neither has seen.

    Attributes:
        what: was learnt.
        images: so many.
        linear, longer: of them right.
        gain: mean of how much more probable the given class is after training longer, nats.
    """

    what: str
    images: int
    linear: int
    longer: int
    gain: float

    @property
    def is_better(self) -> bool:
        """No fewer are right, and the given classes more probable: who is right by chance is as sure where wrong.

        Few examples cannot count a difference of less than a point; how probable each of their classes is, shows it.
        """
        return self.longer >= self.linear and self.gain > 0

    def __str__(self) -> str:
        verdict = "kept" if self.is_better else "not better, so the linear head stays"
        return (
            f"{self.what}: right on {self.longer:,} of {self.images:,} images it had not seen, the linear head on "
            f"{self.linear:,}: {verdict}"
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """Parameters by name, the head's among them, and the judgement that speaks for them.

    ``logits``, float32 ``[N, C]``, are what such networks say of the examples at ``rows``, which they have not seen.
    """

    parameters: dict[str, NDArray[np.float32]]
    judgement: LongerComparison
    logits: NDArray[np.float32]
    rows: NDArray[np.int64]


def check(given: Examples) -> None:
    """Raise InvalidRequest where training longer cannot help, or would take too long."""
    if len(given) > MAX_IMAGES:
        raise InvalidRequest(f"Training longer takes at most {MAX_IMAGES:,} labelled images; there are {len(given):,}.")
    if given.counts.min() < MIN_EACH:
        raise InvalidRequest(f"Training longer needs at least {MIN_EACH} labelled images of each class.")


def compare_longer(
    what: str, linear: NDArray[np.float32], longer: NDArray[np.float32], numbers: NDArray[np.int64]
) -> LongerComparison:
    """Compare logits float32 ``[N, C]`` of the same images, of classes int64 ``[N]``."""
    rows = np.arange(len(numbers))
    tiny = np.finfo(np.float32).tiny
    before, after = (np.log(np.maximum(softmax(logits)[rows, numbers], tiny)) for logits in (linear, longer))
    gains = (after - before).astype(np.float64)
    return LongerComparison(
        what=what,
        images=len(numbers),
        linear=int((linear.argmax(axis=1) == numbers).sum()),
        longer=int((longer.argmax(axis=1) == numbers).sum()),
        gain=float(gains.mean()),
    )


def train_longer(
    worker: WorkerProcess,
    base: Model,
    given: Examples,
    inputs: NDArray[np.uint8],
    look: Look,
    scratch: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[LongerComparison, Trained | None]:
    """Judge by held-out examples whether either way is better than the linear head, and where one is, learn from all.

    Args:
        worker: runs ``WORKER``.
        base: the model with the linear head.
        given: the examples as the head sees them.
        inputs: their images' model inputs, uint8 ``[N, H, W, 3]``.
        look: gives the features of model inputs, as the head sees them.
        scratch: an empty folder.
        on_progress: epochs done, and of how many.

    Raises:
        InvalidRequest: see ``check``.
        WorkerEnded: the process ended, as a cancel ends it.
    """
    check(given)
    np.save(scratch / "inputs.npy", inputs)
    np.save(scratch / "numbers.npy", given.numbers)
    copies = look(lit(inputs, 0)), look(lit(inputs[:, :, ::-1], 1))
    folds = list(_folds(given))
    plain = [fit(given.subset(learn)) for learn, _ in folds]
    richer = [fit(_with_copies(given, copies, learn)) for learn, _ in folds]
    runs = _run(worker, base, scratch, [learn for learn, _ in folds], richer, on_progress)
    held_out = np.concatenate([rows for _, rows in folds])
    linear, head = (
        np.concatenate([one.logits(given.features[rows]) for one, (_, rows) in zip(heads, folds, strict=True)])
        for heads in (plain, richer)
    )
    stage = np.concatenate([run["logits"][rows] for run, (_, rows) in zip(runs, folds, strict=True)])
    numbers = given.numbers[held_out]
    best = _better_way(compare_longer(HEAD, linear, head, numbers), compare_longer(STAGE, linear, stage, numbers))
    if not best.is_better:
        return best, None
    everything = np.arange(len(given))
    last = fit(_with_copies(given, copies, everything))
    if best.what == HEAD:
        return best, Trained({"fc.weight": last.weight, "fc.bias": last.bias}, best, head, held_out)
    (trained,) = _run(worker, base, scratch, [everything], [last], on_progress)
    trained.pop("logits")
    return best, Trained(trained, best, stage, held_out)


def _better_way(head: LongerComparison, stage: LongerComparison) -> LongerComparison:
    """The stage where it is better than the linear head, and than the head in another light if that is, too."""
    if not stage.is_better:
        return head
    return stage if not head.is_better or (stage.longer > head.longer and stage.gain > head.gain) else head


def _with_copies(
    given: Examples, copies: tuple[NDArray[np.float32], NDArray[np.float32]], rows: NDArray[np.int64]
) -> Examples:
    """Those at ``rows``, each a second time by the features ``[N, F]`` of its copy and of its mirror image's."""
    own = given.subset(rows)
    return Examples(
        own.classes,
        np.tile(own.numbers, 2),
        np.concatenate([own.features, copies[0][rows]]),
        np.concatenate([own.mirrored, copies[1][rows]]),
    )


def _folds(given: Examples) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import StratifiedKFold

    one = len(given) > ONE_SPLIT_ABOVE
    splits = StratifiedKFold(5 if one else FOLDS, shuffle=True, random_state=0).split(given.features, given.numbers)
    for number, split in enumerate(splits):
        if number == 0 or not one:
            yield split


def _run(
    worker: WorkerProcess,
    base: Model,
    scratch: Path,
    learn: Sequence[NDArray[np.int64]],
    heads: Sequence[Head],
    on_progress: Callable[[int, int], None],
) -> list[dict[str, NDArray[np.float32]]]:
    lessons = []
    for number, (rows, head) in enumerate(zip(learn, heads, strict=True)):
        path = scratch / f"head-{number}.npz"
        np.savez(path, weight=head.weight, bias=head.bias, mean=head.mean, spread=head.spread)
        lessons.append({"rows": [int(row) for row in rows], "head": str(path)})

    def on_event(event: Event) -> None:
        if event["event"] == "progress":
            on_progress(event["done"], event["total"])

    worker.call(
        "train",
        on_event,
        network=base.architecture.name,
        weights=base.weights,
        preprocessing=base.preprocessing.model_dump(),
        inputs=scratch / "inputs.npy",
        numbers=scratch / "numbers.npy",
        lessons=lessons,
        out=scratch,
    )
    found = []
    for number in range(len(lessons)):
        with np.load(scratch / f"{number}.npz") as arrays:
            found.append({name: arrays[name] for name in arrays.files})
    return found
