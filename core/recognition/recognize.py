"""The pipeline from a stack to predictions: decode, preprocess, infer, overlapped on all cores."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from core.base.errors import Cancelled, InvalidRequest
from core.base.settings import Settings
from core.engines.batch_size import automatic_batch_size
from core.engines.engine import LOGITS, Engine, EngineName
from core.models.model import Model
from core.recognition.results import TOP_K, Prediction, Recognition, Timing, top_scores
from core.stacks.stack import MODEL_INPUT_SHAPE, ImageStack

OnBatch = Callable[[Sequence[Prediction]], None]


@dataclass(slots=True)
class _Batch:
    """Images on their way through the engine; ``inputs`` is uint8 ``[B, 224, 224, 3]``."""

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
    engine_name: EngineName,
    settings: Settings,
    *,
    batch_size: int = 0,
    on_batch: OnBatch = lambda predictions: None,
    cancelled: Event | None = None,
) -> Recognition:
    """Recognise images of a stack and return one prediction for each, in the order of ``indices``.

    Args:
        indices: positions in the stack; a position that repeats is recognised once and answered as often as asked.
        batch_size: images per inference call; 0 takes ``settings.batch_size``, and if that is 0 too, the measured one.
        on_batch: called with new predictions as they are made, from the calling thread.
        cancelled: set it from another thread to stop.

    An image that cannot be read becomes a prediction with ``error`` set; the others are not affected.

    Raises:
        InvalidRequest: the batch size is out of range.
        ImageNotFound: an index is out of range.
        Cancelled: ``cancelled`` was set; what ``on_batch`` was given remains valid.
        ModelError, EngineUnavailable: the engine cannot be loaded.
    """
    engine = model.engine(engine_name)
    unique = list(dict.fromkeys(indices))
    size = resolve_batch_size(batch_size, engine, model, settings, images=len(unique))
    started = time.perf_counter()
    clock = _Clock()
    found: dict[int, Prediction] = {}
    for predictions in _predict(stack, unique, model, engine, size, clock, cancelled or Event()):
        found.update((prediction.index, prediction) for prediction in predictions)
        on_batch(predictions)
    timing = Timing(len(indices), time.perf_counter() - started, clock.wait, clock.infer, size)
    return Recognition(engine_name, engine.precision, model.card.name, tuple(found[index] for index in indices), timing)


def resolve_batch_size(
    asked: int, engine: Engine, model: Model, settings: Settings, *, images: int | None = None
) -> int:
    """The batch size to use for so many ``images``, or for any number of them; see ``recognize``.

    Few images run side by side, each by itself, and need not wait for the measurement.

    Raises:
        InvalidRequest: ``asked`` is negative or above ``settings.max_batch_size``.
    """
    if not 0 <= asked <= settings.max_batch_size:
        raise InvalidRequest(f"The batch size must be between 1 and {settings.max_batch_size}, or 0 for automatic.")
    if not (asked or settings.batch_size) and images is not None and images <= engine.parallelism:
        return 1
    return asked or settings.batch_size or automatic_batch_size(engine, model.checksum, settings.cache_dir)


def _predict(
    stack: ImageStack, indices: list[int], model: Model, engine: Engine, size: int, clock: _Clock, cancelled: Event
) -> Iterator[list[Prediction]]:
    """Yield predictions batch by batch; decoding runs ahead in the shared pool, inference in threads of its own."""
    name = model.card.name

    def infer(batch: _Batch) -> tuple[list[Prediction], float]:
        started = time.perf_counter()
        logits = engine.infer(batch.inputs)[LOGITS]
        seconds = time.perf_counter() - started
        scores = top_scores(logits, model.card.classes, TOP_K)
        predictions = [
            Prediction(index, stack.entries[index].name, top, engine.name, name)
            for index, top in zip(batch.indices, scores, strict=True)
        ]
        return predictions, seconds

    def collect(future: Future[tuple[list[Prediction], float]]) -> list[Prediction]:
        predictions, seconds = future.result()
        clock.infer += seconds
        return predictions

    def check_cancelled() -> None:
        if cancelled.is_set():
            raise Cancelled("Cancelled. What was recognised so far is kept.")

    with ExitStack() as exits:
        pool = ThreadPoolExecutor(engine.parallelism, thread_name_prefix="infer")
        exits.callback(pool.shutdown, cancel_futures=True)
        running: deque[Future[tuple[list[Prediction], float]]] = deque()
        filling = _new_batch(size)
        for index, job in stack.prepare_ahead(indices):
            check_cancelled()
            waiting = time.perf_counter()
            job.result()
            clock.wait += time.perf_counter() - waiting
            if error := stack.error(index):
                yield [Prediction(index, stack.entries[index].name, (), engine.name, name, error)]
                continue
            stack.read_model_input(index, filling.inputs[len(filling.indices)])
            filling.indices.append(index)
            if len(filling.indices) == size:
                running.append(pool.submit(infer, filling))
                filling = _new_batch(size)
            while running and (running[0].done() or len(running) > engine.parallelism):
                yield collect(running.popleft())
        if filling.indices:
            running.append(pool.submit(infer, _Batch(filling.indices, filling.inputs[: len(filling.indices)])))
        while running:
            check_cancelled()
            yield collect(running.popleft())


def _new_batch(size: int) -> _Batch:
    return _Batch([], np.empty((size, *MODEL_INPUT_SHAPE), np.uint8))
