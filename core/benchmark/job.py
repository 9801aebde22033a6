"""A benchmark in the background, for a page that shows progress and may be left and come back to."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from core.base.background import BackgroundJob, TakeTurn
from core.base.settings import Settings
from core.benchmark.plan import BenchmarkPlan
from core.benchmark.report import Report
from core.benchmark.run import run_benchmark
from core.models.model import Model
from core.stacks.stack import ImageStack


@dataclass(frozen=True, slots=True)
class BenchmarkState:
    """What a job is doing; ``done`` of ``total`` single-image passes, after ``seconds`` of measuring."""

    done: int
    total: int
    text: str
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """An estimate; None while it would be a guess."""
        return self.seconds * (self.total - self.done) / self.done if self.done else None


class BenchmarkJob(BackgroundJob):
    """Runs a plan in a thread of its own; ``report`` holds the result once the status is ``done``.

    ``folder`` is a private folder for temporary files. Its turn must be one at a time, heavy work in
    ``core.recognition.fair_queue``: two benchmarks side by side would measure each other.
    """

    def __init__(
        self,
        plan: BenchmarkPlan,
        stack: ImageStack,
        model: Model,
        settings: Settings,
        folder: Path,
        take_turn: TakeTurn = nullcontext,
    ) -> None:
        super().__init__("benchmark", take_turn)
        self.plan = plan
        self.report: Report | None = None
        self._arguments = (plan, stack, model, settings, folder)
        self._state = BenchmarkState(0, 1, "Waiting for a turn", 0.0)
        self._started = 0.0
        self.start()

    @property
    def state(self) -> BenchmarkState:
        """A snapshot."""
        return self._state

    def work(self) -> None:
        """Measure."""
        try:
            self._started = time.perf_counter()
            self.report = run_benchmark(*self._arguments, on_step=self._on_step, cancelled=self.cancelled)
        finally:
            del self._arguments  # the stack must not live as long as its figures

    def _on_step(self, done: int, total: int, text: str) -> None:
        self._state = BenchmarkState(done, total, text, time.perf_counter() - self._started)
