"""Recognition in the background, for a page that shows progress, offers to cancel, and may be left and come back to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.base.background import BackgroundJob
from core.engines.engine import EngineName
from core.recognition.results import Prediction, Recognition
from core.recognition.service import Activity, Order, RecognitionService, Watcher

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


class RecognitionJob(BackgroundJob, Watcher):
    """Runs an order in a thread of its own. ``recognitions`` holds the finished runs."""

    def __init__(self, order: Order, service: RecognitionService) -> None:
        super().__init__("recognition")
        self.order = order
        self.recognitions: dict[EngineName, Recognition] = {}
        self._service = service
        self._images = len(order.indices)
        self.entered("waiting", order.engines[0])
        self.start()

    @property
    def state(self) -> JobState:
        """A snapshot."""
        seconds = time.perf_counter() - self._activity_started
        phase: Phase = self._activity if self.status == "running" else self.status
        return JobState(phase, self._engine, self._done, self._images, seconds, self.message)

    def work(self) -> None:
        """See ``RecognitionService.run``."""
        self._service.run(self.order, "page", self, self.cancelled)

    def entered(self, activity: Activity, engine: EngineName) -> None:
        """See ``Watcher.entered``."""
        self._engine, self._done, self._activity_started = engine, 0, time.perf_counter()
        self._activity: Activity = activity

    def decoded(self) -> None:
        """See ``Watcher.decoded``."""
        self._done += 1

    def recognized(self, predictions: Sequence[Prediction]) -> None:
        """See ``Watcher.recognized``."""
        self._done += len(predictions)

    def finished(self, recognition: Recognition) -> None:
        """See ``Watcher.finished``."""
        self.recognitions[recognition.engine] = recognition
