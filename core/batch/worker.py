"""What looks at images: one compiled model in a process of its own, which does a unit at a time and writes its part."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.base.errors import StoreUnreachable
from core.base.settings import Settings
from core.batch.cores import claim_cores
from core.batch.frames import Frames
from core.batch.manifest import Unit
from core.batch.output import Output
from core.batch.parts import Outcome, Row, table, write_part
from core.batch.reading import FileFailure, Patience
from core.batch.stores import Store
from core.engines.engine import FEATURES, EngineName
from core.models.model import Model
from core.recognition.classifier import DEFAULT_BATCH, Classifier
from core.recognition.results import THRESHOLD

REMOTE_READS = 8  # threads a core for a store elsewhere, which mostly wait for it
# Of a unit, from which on the store is to blame and not its files.
FALTERING_FILES, FALTERING_SHARE = 10, 0.5


@dataclass(frozen=True, slots=True)
class Job:
    """All that a worker has to know; it travels. The model's folder is at the same place on every machine.

    Attributes:
        store: where the images are.
        output: where the parts go; None where they go nowhere.
        cores: how many this worker may use.
        features: whether the network's features are kept, float32 of ``Model.features`` a row.
        hashes: whether files are hashed.
    """

    store: Store
    output: Output | None
    model: Path
    engine: EngineName
    settings: Settings
    cores: int = 1
    batch_size: int = DEFAULT_BATCH
    features: bool = False
    hashes: bool = False
    patience: Patience = field(default_factory=Patience)


class Worker:
    """One of them. For one thread at a time."""

    def __init__(self, job: Job) -> None:
        """Nothing is loaded before ``start``."""
        self.job = job
        self._claim: IO[str] | None = None

    def start(self) -> dict[str, str]:
        """Load the model, and say what exactly is loaded: all workers of a job must say the same.

        Raises:
            ModelError, EngineUnavailable: it cannot be loaded here.
        """
        job = self.job
        self._claim = claim_cores(job.cores)
        model = Model(job.model, job.settings.cache_dir)
        self._classifier = Classifier(model, job.engine)
        engine = self._classifier.engine
        extra = (FEATURES,) if job.features else ()
        self._outputs = tuple(dict.fromkeys((*self._classifier.outputs, *extra)))
        engine.infer(np.zeros((1, *engine.input_shape), np.uint8), self._outputs)  # compiled before anybody waits
        self._frames = Frames(
            job.store, model.preprocessing, job.settings,
            threads=job.cores * (1 if job.store.is_local else REMOTE_READS), patience=job.patience, hashes=job.hashes,
        )  # fmt: skip
        self._pool = ThreadPoolExecutor(engine.parallelism, thread_name_prefix="infer")
        made_by = f"{engine.name} {engine.precision} {engine.library} {model.answers_key}"
        self._constant = {
            "model": model.card.name,
            "model_checksum": model.answers_key[:12],
            "engine": engine.name,
            "engine_checksum": hashlib.sha256(made_by.encode()).hexdigest()[:12],
        }
        return {**self._constant, "precision": engine.precision, "library": engine.library}

    def do(self, unit: Unit) -> Outcome:
        """Recognise a unit's images and write its part.

        Raises:
            StoreUnreachable: most of its files could not be fetched, or the part cannot be written.
            DiskFull: there is no room for it.
        """
        started = time.perf_counter()
        rows = self.look(unit)
        return self.finish(unit, rows, time.perf_counter() - started)

    def look(self, unit: Unit, only: Iterable[int] | None = None) -> pa.Table:
        """The rows of a unit, or of its items at these positions.

        Raises:
            StoreUnreachable: most of the files could not be fetched.
        """
        rows: list[Row] = []
        faltering = 0
        classifier = self._classifier
        running: deque[Future[None]] = deque()
        shape, size = classifier.engine.input_shape, self.job.batch_size
        filling: list[Row] = []
        inputs = np.empty((size, *shape), np.uint8)
        for frame in self._frames.of(unit, only):
            rows.append(frame.row)
            faltering += frame.store_falters
            if frame.model_input is None:
                continue
            inputs[len(filling)] = frame.model_input
            filling.append(frame.row)
            if len(filling) == size:
                running.append(self._pool.submit(self._infer, filling, inputs))
                filling, inputs = [], np.empty((size, *shape), np.uint8)
            while len(running) > classifier.engine.parallelism:
                running.popleft().result()
        if filling:
            running.append(self._pool.submit(self._infer, filling, inputs[: len(filling)]))
        for future in running:
            future.result()
        if faltering >= FALTERING_FILES and faltering > FALTERING_SHARE * len(rows):
            reason = next(row.error for row in rows if row.error_code == "read_failed")
            raise StoreUnreachable(f"Most files of a part could not be fetched, one after several tries. {reason}")
        return table(rows, self._constant, self._threshold)

    def items(self, unit: Unit) -> list[str]:
        """Names of what ``look`` can be asked for one by one; one name where the archive cannot be opened."""
        try:
            return self._frames.items(unit)
        except Exception:  # its row says why
            return [self.job.store.address(unit.files[0].path)]

    def lost(self, unit: Unit, name: str, code: str, sentence: str) -> pa.Table:
        """The row of an item that ended whoever looked at it."""
        path = self.job.store.address(unit.files[0].path) if unit.slices else name
        member = name if unit.slices and name not in ("", path) else None
        row = Row(path, member, None, 0, error_code=code, error=sentence)
        return table([row], self._constant, self._threshold)

    def finish(self, unit: Unit, rows: pa.Table, seconds: float = 0.0) -> Outcome:
        """Write the rows of a unit, which took so long, as its part.

        Raises:
            StoreUnreachable, DiskFull: it cannot be written.
        """
        output = self.job.output
        assert output is not None  # noqa: S101 - whoever only looks calls ``look``
        try:
            return self.job.patience.keep_trying(lambda: write_part(output, unit.number, rows, seconds))
        except FileFailure as failure:
            raise StoreUnreachable(f"No results can be written to {output.address}. {failure}") from failure

    def close(self) -> None:
        """End the threads, and give the cores back."""
        self._frames.close()
        self._pool.shutdown()
        if self._claim is not None:
            self._claim.close()

    @property
    def _threshold(self) -> float:
        known = self._classifier.model.card.known
        return 1 - known.kept if known else THRESHOLD

    def _infer(self, rows: list[Row], inputs: NDArray[np.uint8]) -> None:
        started = time.perf_counter()
        found = self._classifier.engine.infer(inputs, self._outputs)
        answers = self._classifier.answers(found)
        seconds = (time.perf_counter() - started) / len(rows)
        for place, (row, answer) in enumerate(zip(rows, answers, strict=True)):
            row.answer = answer
            row.seconds += seconds
            if self.job.features:
                row.features = found[FEATURES][place]
