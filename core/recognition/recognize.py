"""The pipeline from a stack to predictions: decode, preprocess, infer, overlapped on all cores."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from core.base.errors import Cancelled
from core.base.settings import Settings
from core.base.workers import PoolJob
from core.engines.engine import EngineName
from core.images.pixels import RangeOf
from core.models.model import Model
from core.recognition.classifier import Classifier
from core.recognition.fair_queue import CANCELLED
from core.recognition.results import Answer, Prediction, Recognition, Timing
from core.stacks.inputs import ModelInputs
from core.stacks.stack import ImageStack

POLL_SECONDS = 0.1  # how often somebody who waits for an image looks whether they were cancelled
OnBatch = Callable[[Sequence[Prediction]], None]


@dataclass(frozen=True, slots=True)
class Also:
    """What else than logits a run asks its engine for.

    Attributes:
        outputs: names of ``Engine.infer``.
        take: gets positions and these outputs of their images, in the threads of inference, each image once. What it
            raises ends the run.
    """

    outputs: tuple[str, ...]
    take: Callable[[Sequence[int], Mapping[str, NDArray[np.float32]]], None]


@dataclass(slots=True)
class _Batch:
    """Images on their way through the engine; ``inputs`` is uint8 ``[B, *ModelInputs.shape]``."""

    indices: list[int]
    inputs: NDArray[np.uint8]


@dataclass(slots=True)
class _Clock:
    """Seconds spent so far; see ``core.recognition.results.Timing``."""

    wait: float = 0.0
    infer: float = 0.0


def recognize(
    stack: ImageStack,
    indices: Sequence[int],
    model: Model,
    engine: EngineName,
    settings: Settings,
    *,
    batch_size: int = 0,
    on_batch: OnBatch = lambda predictions: None,
    cancelled: Event | None = None,
    also: Also | None = None,
    range_of: RangeOf | None = None,
) -> Recognition:
    """Recognise images of a stack and return one prediction for each, in the order of ``indices``.

    Args:
        indices: positions in the stack; a position that repeats is recognised once and answered as often as asked.
        batch_size: images per inference call; 0 is automatic, see ``Classifier.batch_size``.
        on_batch: called with new predictions as they are made, from the calling thread.
        cancelled: set it from another thread to stop.
        also: what else the engine is asked for.
        range_of: what values are scaled by; None is what was chosen for the stack.

    An image that cannot be read becomes a prediction with ``error`` set; the others are not affected.

    Raises:
        RangeUnknown: that of the stack is not known yet, see ``find_range``.
        InvalidRequest: the batch size is out of range.
        ImageNotFound: an index is out of range.
        Cancelled: ``cancelled`` was set; what ``on_batch`` was given remains valid.
        ModelError, EngineUnavailable: the engine cannot be loaded.
    """
    classifier = Classifier(model, engine)
    size = classifier.batch_size(batch_size, settings, images=len(set(indices)))
    return recognize_with(
        classifier, stack, indices, size, on_batch=on_batch, cancelled=cancelled, also=also, range_of=range_of
    )


def recognize_with(
    classifier: Classifier,
    stack: ImageStack,
    indices: Sequence[int],
    batch_size: int,
    *,
    on_batch: OnBatch = lambda predictions: None,
    on_wait: Callable[[], None] = lambda: None,
    cancelled: Event | None = None,
    also: Also | None = None,
    mirrored: bool = False,
    range_of: RangeOf | None = None,
) -> Recognition:
    """As ``recognize``, with everything ready: ``batch_size`` is at least 1.

    Args:
        on_wait: called again and again while an image is waited for and nothing else is to do.
        also: what else the engine is asked for.
        mirrored: look at the images' mirror images instead.
        range_of: what values are scaled by; None is what was chosen for the stack.

    Raises:
        RangeUnknown: that of the stack is not known yet, see ``find_range``.
    """
    started = time.perf_counter()
    clock = _Clock()
    found: dict[int, Prediction] = {}
    unique = list(dict.fromkeys(indices))
    look = _Look(classifier, also, mirrored)
    inputs = stack.inputs(classifier.model.preprocessing, range_of)
    for predictions in _predict(stack, inputs, unique, look, batch_size, clock, on_wait, cancelled or Event()):
        found.update((prediction.index, prediction) for prediction in predictions)
        on_batch(predictions)
    timing = Timing(len(indices), time.perf_counter() - started, clock.wait, clock.infer, batch_size)
    engine, name = classifier.engine, classifier.model.card.name
    return Recognition(engine.name, engine.precision, name, tuple(found[index] for index in indices), timing)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is done with a batch."""

    classifier: Classifier
    also: Also | None
    mirrored: bool

    def at(self, batch: _Batch) -> list[Answer]:
        inputs = batch.inputs[:, :, ::-1] if self.mirrored else batch.inputs
        if self.also is None:
            return self.classifier.classify(inputs)
        outputs = dict.fromkeys((*self.classifier.outputs, *self.also.outputs))
        found = self.classifier.engine.infer(inputs, tuple(outputs))
        self.also.take(batch.indices, found)
        return self.classifier.answers(found)


def find_range(
    stack: ImageStack,
    cancelled: Event,
    *,
    on_image: Callable[[], object] = lambda: None,
    on_wait: Callable[[], None] = lambda: None,
) -> None:
    """Look at all images that count for the range of the whole stack and were not looked at; then it is known.

    They are prepared as always, so that nothing is decoded for this alone; what is prepared in the background anyway
    only comes sooner.

    Args:
        on_image: called for each of ``stack.range.awaited``.
        on_wait: as for ``recognize_with``.

    Raises:
        Cancelled, StackNotFound, DiskFull: as for ``wait_for``.
    """
    for _, job in stack.inputs(range_of="image").prepare_ahead(stack.range.awaited):
        check_cancelled(cancelled)
        wait_for(job, on_wait, cancelled)
        on_image()


def wait_for(job: PoolJob, on_wait: Callable[[], None], cancelled: Event) -> None:
    """Block until an image is ready; see ``recognize_with`` for ``on_wait``.

    Raises:
        Cancelled: ``cancelled`` was set.
        StackNotFound, DiskFull: as for ``ModelInputs.prepare``.
    """
    while True:
        try:
            return job.result(POLL_SECONDS)
        except TimeoutError:
            if job.done():
                raise
        check_cancelled(cancelled)
        on_wait()


def check_cancelled(cancelled: Event) -> None:
    """Raise Cancelled where ``cancelled`` is set."""
    if cancelled.is_set():
        raise Cancelled(CANCELLED)


def _predict(
    stack: ImageStack,
    inputs: ModelInputs,
    indices: list[int],
    look: _Look,
    size: int,
    clock: _Clock,
    on_wait: Callable[[], None],
    cancelled: Event,
) -> Iterator[list[Prediction]]:
    """Yield predictions batch by batch; decoding runs ahead in the shared pool, inference in threads of its own."""
    classifier = look.classifier
    parallelism = classifier.engine.parallelism

    def infer(batch: _Batch) -> tuple[list[Prediction], float]:
        started = time.perf_counter()
        answers = look.at(batch)
        seconds = time.perf_counter() - started
        predictions = [
            classifier.prediction(index, stack.entries[index].name, answer, inputs.scaled_by(index))
            for index, answer in zip(batch.indices, answers, strict=True)
        ]
        return predictions, seconds

    def collect(future: Future[tuple[list[Prediction], float]]) -> list[Prediction]:
        predictions, seconds = future.result()
        clock.infer += seconds
        return predictions

    with ExitStack() as exits:
        pool = ThreadPoolExecutor(parallelism, thread_name_prefix="infer")
        exits.callback(pool.shutdown, cancel_futures=True)
        running: deque[Future[tuple[list[Prediction], float]]] = deque()
        filling = _new_batch(size, inputs.shape)
        for index, job in inputs.prepare_ahead(indices):
            check_cancelled(cancelled)
            waiting = time.perf_counter()
            wait_for(job, on_wait, cancelled)
            clock.wait += time.perf_counter() - waiting
            if error := stack.error(index):
                yield [classifier.failure(index, stack.entries[index].name, error)]
                continue
            inputs.read(index, filling.inputs[len(filling.indices)])
            filling.indices.append(index)
            if len(filling.indices) == size:
                running.append(pool.submit(infer, filling))
                filling = _new_batch(size, inputs.shape)
            while running and (running[0].done() or len(running) > parallelism):
                yield collect(running.popleft())
        if filling.indices:
            running.append(pool.submit(infer, _Batch(filling.indices, filling.inputs[: len(filling.indices)])))
        while running:
            check_cancelled(cancelled)
            yield collect(running.popleft())


def _new_batch(size: int, shape: tuple[int, int, int]) -> _Batch:
    return _Batch([], np.empty((size, *shape), np.uint8))
