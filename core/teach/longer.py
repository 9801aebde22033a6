"""Training the last stage too, where that is better on examples it has not seen; else the linear head stays."""

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
from core.teach.head import Examples, Head, fit

WORKER = "core.teach.longer_worker"
MAX_IMAGES = 1_200  # four copies of what the third stage puts out take 400 kB each
MIN_EACH = 6  # examples of a class: fewer judge nothing
FOLDS = 3
ONE_SPLIT_ABOVE = 300  # examples: then a fifth of them judges, and training once takes long enough


@dataclass(frozen=True, slots=True)
class Judgement:
    """Both heads on examples that neither has seen.

    Attributes:
        images: so many.
        linear, longer: of them right.
        gain: mean of how much more probable the given class is after training longer, nats.
    """

    images: int
    linear: int
    longer: int
    gain: float

    @property
    def is_better(self) -> bool:
        """More are right, and the given classes more probable: who is right by chance is as sure where wrong."""
        return self.longer > self.linear and self.gain > 0

    def __str__(self) -> str:
        verdict = "kept" if self.is_better else "not better, so the linear head stays"
        return (
            f"right on {self.longer:,} of {self.images:,} images it had not seen, the linear head on "
            f"{self.linear:,}: {verdict}"
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """Parameters by name, the head's among them, and the judgement that speaks for them.

    ``logits``, float32 ``[N, C]``, are what such networks say of the examples at ``rows``, which they have not seen.
    """

    parameters: dict[str, NDArray[np.float32]]
    judgement: Judgement
    logits: NDArray[np.float32]
    rows: NDArray[np.int64]


def check(given: Examples) -> None:
    """Raise InvalidRequest where training longer cannot help, or would take too long."""
    if len(given) > MAX_IMAGES:
        raise InvalidRequest(f"Training longer takes at most {MAX_IMAGES:,} labelled images; there are {len(given):,}.")
    if given.counts.min() < MIN_EACH:
        raise InvalidRequest(f"Training longer needs at least {MIN_EACH} labelled images of each class.")


def judge(linear: NDArray[np.float32], longer: NDArray[np.float32], numbers: NDArray[np.int64]) -> Judgement:
    """Compare logits float32 ``[N, C]`` of the same images, of classes int64 ``[N]``."""
    rows = np.arange(len(numbers))
    tiny = np.finfo(np.float32).tiny
    before, after = (np.log(np.maximum(softmax(logits)[rows, numbers], tiny)) for logits in (linear, longer))
    gains = (after - before).astype(np.float64)
    return Judgement(
        images=len(numbers),
        linear=int((linear.argmax(axis=1) == numbers).sum()),
        longer=int((longer.argmax(axis=1) == numbers).sum()),
        gain=float(gains.mean()),
    )


def train_longer(
    worker: WorkerProcess,
    base: Model,
    given: Examples,
    head: Head,
    inputs: NDArray[np.uint8],
    scratch: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Judgement, Trained | None]:
    """Judge by held-out examples whether training longer is better, and where it is, train on all.

    Args:
        worker: runs ``WORKER``.
        base: the model with the linear head.
        given: the examples as the head sees them.
        head: fitted on all of them.
        inputs: their images' model inputs, uint8 ``[N, H, W, 3]``.
        scratch: an empty folder.
        on_progress: epochs done, and of how many.

    Raises:
        InvalidRequest: see ``check``.
        WorkerEnded: the process ended, as a cancel ends it.
    """
    check(given)
    np.save(scratch / "inputs.npy", inputs)
    np.save(scratch / "numbers.npy", given.numbers)
    folds = list(_folds(given))
    heads = [fit(given.subset(learn)) for learn, _ in folds]
    runs = _run(worker, base, scratch, [learn for learn, _ in folds], heads, on_progress)
    held_out = np.concatenate([rows for _, rows in folds])
    linear = np.concatenate([one.logits(given.features[rows]) for one, (_, rows) in zip(heads, folds, strict=True)])
    longer = np.concatenate([run["logits"][rows] for run, (_, rows) in zip(runs, folds, strict=True)])
    found = judge(linear, longer, given.numbers[held_out])
    if not found.is_better:
        return found, None
    (last,) = _run(worker, base, scratch, [np.arange(len(given))], [head], on_progress)
    last.pop("logits")
    return found, Trained(last, found, longer, held_out)


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
        np.savez(path, weight=head.weight, bias=head.bias)
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
