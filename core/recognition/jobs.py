"""Recognition in the background, for a page that shows progress, offers to cancel, and may be left and come back to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.base.background import BackgroundJob
from core.base.settings import Settings
from core.engines.engine import EngineName
from core.models.model import Model
from core.recognition.fair_queue import FairQueue, Turn
from core.recognition.recognize import recognize, resolve_batch_size
from core.recognition.results import Prediction, Recognition
from core.recognition.run_log import log_recognition
from core.stacks.stack import ImageStack

Activity = Literal["waiting", "decoding", "loading", "recognizing"]
Phase = Literal[Activity, "done", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class JobState:
    """What a job is doing; ``done`` and ``total`` count the images of the current phase."""

    phase: Phase
    engine: EngineName
    done: int
    total: int
    seconds: float
    message: str = ""

    @property
    def finished(self) -> bool:
        """Nothing will change any more."""
        return self.phase in ("done", "cancelled", "failed")

    @property
    def images_per_second(self) -> float:
        """Rate of the current phase so far."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimate for the current phase; None before the first images are done."""
        rate = self.images_per_second
        return (self.total - self.done) / rate if rate else None


class RecognitionJob(BackgroundJob):
    """Runs one or several engines over the same images in a thread of its own, when it is its turn.

    With several engines all images are decoded first, so that the engines' times compare inference with inference:
    otherwise the first one would pay for the decoding of both. Predictions go to ``stack.results`` as they are made;
    ``recognitions`` holds the finished runs.
    """

    def __init__(
        self,
        stack: ImageStack,
        indices: Sequence[int],
        model: Model,
        engines: Sequence[EngineName],
        settings: Settings,
        queue: FairQueue,
        *,
        client: str = "",
        batch_size: int = 0,
    ) -> None:
        super().__init__("recognition")
        self.stack = stack
        self.indices = tuple(indices)
        self.model = model
        self.engines = tuple(engines)
        self._settings = settings
        self._queue = queue
        self._client = client
        self._batch_size = batch_size
        self._activity: Activity = "waiting"
        self._engine = self.engines[0]
        self._done = 0
        self._activity_started = time.perf_counter()
        self.recognitions: dict[EngineName, Recognition] = {}
        self.start()

    @property
    def state(self) -> JobState:
        """A snapshot."""
        seconds = time.perf_counter() - self._activity_started
        phase: Phase = self._activity if self.status == "running" else self.status
        return JobState(phase, self._engine, self._done, len(self.indices), seconds, self.message)

    def work(self) -> None:
        """Wait for a turn; decode first where engines are compared, then run one after the other."""
        with self._queue.turn(self._client, self.stack.id, self.cancelled) as turn:
            if len(self.engines) > 1:
                self._decode_all(turn)
            for engine in self.engines:
                self._recognize(engine, turn)

    def _enter(self, activity: Activity, engine: EngineName) -> None:
        self._engine, self._done, self._activity_started = engine, 0, time.perf_counter()
        self._activity = activity

    def _decode_all(self, turn: Turn) -> None:
        self._enter("decoding", self.engines[0])
        for _, job in self.stack.prepare_ahead(self.indices):
            self.check_cancelled("Cancelled. Nothing was recognised yet.")
            job.result()
            self._done += 1
            turn.give_way()

    def _recognize(self, engine: EngineName, turn: Turn) -> None:
        def on_batch(predictions: Sequence[Prediction]) -> None:
            self.stack.results.add(predictions)
            self._done += len(predictions)
            turn.give_way()

        self._enter("loading", engine)
        images = len(set(self.indices))
        resolve_batch_size(self._batch_size, self.model.engine(engine), self.model, self._settings, images=images)
        self._enter("recognizing", engine)
        recognition = self.recognitions[engine] = recognize(
            self.stack,
            self.indices,
            self.model,
            engine,
            self._settings,
            batch_size=self._batch_size,
            on_batch=on_batch,
            cancelled=self.cancelled,
        )
        log_recognition("page", self.stack.id, recognition)
