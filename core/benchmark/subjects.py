"""The product's engines as something to measure: alone with inputs ready, and within the product's own pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.base.budget import ByteBudget
from core.base.errors import Cancelled
from core.base.settings import Settings
from core.base.workers import WorkerPool
from core.benchmark.plan import Mode, SubjectName
from core.engines.engine import LOGITS, Engine
from core.images.formats.format import FileReader
from core.images.preprocessing import Preprocessing
from core.models.model import Model
from core.recognition.recognize import recognize
from core.stacks.sources.source import Source
from core.stacks.stack import ImageStack

Naming = Callable[[Sequence[int], int, Event], list[str]]
"""First class of the images at these positions, in batches of this size; raises Cancelled once the event is set."""


class BenchmarkSubject(Protocol):
    """Something that names images, in one mode.

    Attributes:
        batch_size: images per inference call.
        precision: the number format that really runs.
    """

    @property
    def name(self) -> SubjectName: ...  # noqa: D102
    @property
    def mode(self) -> Mode: ...  # noqa: D102
    @property
    def batch_size(self) -> int: ...  # noqa: D102
    @property
    def precision(self) -> str: ...  # noqa: D102

    def stage_seconds(self) -> Mapping[str, float]:
        """CPU seconds per image of the stages it times itself; empty where they overlap."""
        ...

    def ready(self, count: int) -> AbstractContextManager[Naming]:
        """Set up for one pass over positions below ``count``, and clean up after it, both outside the measured time."""
        ...


class EngineAlone:
    """An engine whose inputs are ready in memory, all its parallel requests busy."""

    mode: Mode = "inference-only"

    def __init__(self, engine: Engine, batch_size: int, classes: tuple[str, ...], inputs: NDArray[np.uint8]) -> None:
        """``inputs``: uint8 ``[N, *input_shape]``; position i takes input i modulo N."""
        self.name: SubjectName = engine.name
        self.batch_size = batch_size
        self.precision = engine.precision
        self._engine = engine
        self._classes = classes
        self._inputs = inputs

    def stage_seconds(self) -> Mapping[str, float]:
        """See ``BenchmarkSubject.stage_seconds``."""
        return {}

    @contextmanager
    def ready(self, count: int) -> Iterator[Naming]:
        """See ``BenchmarkSubject.ready``."""
        with ThreadPoolExecutor(self._engine.parallelism, thread_name_prefix="infer") as pool:

            def run(indices: Sequence[int], batch_size: int, cancelled: Event) -> list[str]:
                def infer(start: int) -> list[str]:
                    stop_if_cancelled(cancelled)
                    batch = self._inputs.take(indices[start : start + batch_size], axis=0, mode="wrap")
                    return first_classes(self._engine.infer(batch)[LOGITS], self._classes)

                return [name for names in pool.map(infer, range(0, len(indices), batch_size)) for name in names]

            yield run


class Pipeline:
    """The product's recognition of a stack that is new for every pass, so that nothing of it is decoded yet."""

    mode: Mode = "end-to-end"

    def __init__(
        self, engine: Engine, batch_size: int, model: Model, stack: ImageStack, workshop: Workshop, settings: Settings
    ) -> None:
        self.name: SubjectName = engine.name
        self.batch_size = batch_size
        self.precision = engine.precision
        self._engine = engine
        self._model = model
        self._stack = stack
        self._workshop = workshop
        self._settings = settings

    def stage_seconds(self) -> Mapping[str, float]:
        """See ``BenchmarkSubject.stage_seconds``."""
        return {}

    @contextmanager
    def ready(self, count: int) -> Iterator[Naming]:
        """See ``BenchmarkSubject.ready``."""
        stack = self._workshop.fresh_stack(self._stack, count)
        self._prepare(stack)

        def run(indices: Sequence[int], batch_size: int, cancelled: Event) -> list[str]:
            found = recognize(
                stack,
                indices,
                self._model,
                self._engine.name,
                self._settings,
                batch_size=batch_size,
                cancelled=cancelled,
            )
            return [prediction.label for prediction in found.predictions]

        try:
            yield run
        finally:
            stack.mark_deleted()

    def _prepare(self, stack: ImageStack) -> None:
        """Nothing: all work on the images belongs to the measurement."""


class Ingested(Pipeline):
    """The product's recognition of images that are decoded already."""

    mode: Mode = "ingested"

    def _prepare(self, stack: ImageStack) -> None:
        for _, job in stack.inputs(self._model.preprocessing).prepare_ahead(range(len(stack))):
            job.result()


class Workshop:
    """A benchmark's own decoding threads and folder, so that nobody's queue or cache is part of the measurement."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._pool = WorkerPool(settings.decode_workers, ByteBudget(settings.image_memory_bytes))

    def fresh_stack(self, stack: ImageStack, count: int) -> ImageStack:
        """The first ``count`` images of ``stack`` as a stack of which nothing is decoded; they repeat if need be."""
        return ImageStack("benchmark", stack.name, _Repeated(stack, count), self._folder, self._pool, self._settings)

    def close(self) -> None:
        """Stop the threads."""
        self._pool.close()


class _Repeated(Source):
    """``count`` images of a stack, the first ones again after the last."""

    def __init__(self, stack: ImageStack, count: int) -> None:
        self._stack = stack
        self.entries = tuple(stack.entries[position % len(stack)] for position in range(count))
        self.skipped = ()

    def file(self, index: int) -> FileReader:
        """See ``Source.file``."""
        return self._stack.file(index % len(self._stack))

    def close(self) -> None:
        """Nothing of its own is open."""


def ready_inputs(stack: ImageStack, preprocessing: Preprocessing, count: int) -> NDArray[np.uint8]:
    """Model inputs uint8 ``[N, *input_shape]`` of the first images of a decoded stack, N at most ``count``.

    Images that cannot be read become black.
    """
    indices = range(min(count, len(stack)))
    made = stack.inputs(preprocessing)
    inputs = np.zeros((len(indices), *made.shape), np.uint8)
    for index in indices:
        if stack.error(index) is None:
            made.read(index, inputs[index])
    return inputs


def wait_until_decoded(stack: ImageStack, preprocessing: Preprocessing, cancelled: Event) -> None:
    """Wait for a stack's background decoding, which would otherwise go on beside the first passes."""
    for _, job in stack.inputs(preprocessing).prepare_ahead(range(len(stack))):
        stop_if_cancelled(cancelled)
        job.result()


def first_classes(logits: NDArray[np.float32], classes: tuple[str, ...]) -> list[str]:
    """The most probable class of every row of ``logits`` (float32 ``[B, classes]``)."""
    return [classes[column] for column in logits.argmax(axis=1)]


def stop_if_cancelled(cancelled: Event) -> None:
    """Raise Cancelled once the event is set."""
    if cancelled.is_set():
        raise Cancelled("Cancelled. Nothing was saved.")
