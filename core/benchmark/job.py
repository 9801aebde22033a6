"""A benchmark in the background, for a page that shows progress and may be left and come back to."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from core.base.background import BackgroundJob
from core.base.settings import Settings
from core.benchmark.plan import Plan
from core.benchmark.report import Report
from core.benchmark.run import run_benchmark
from core.models.model import Model
from core.stacks.stack import ImageStack

_POLL_SECONDS = 0.2

# Two benchmarks side by side would measure each other.
_turn = threading.Lock()


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

    ``folder`` is a private folder for temporary files. One job of the process measures, the others wait their turn.
    """

    def __init__(self, plan: Plan, stack: ImageStack, model: Model, settings: Settings, folder: Path) -> None:
        super().__init__("benchmark")
        self.plan = plan
        self.report: Report | None = None
        self._arguments = (plan, stack, model, settings, folder)
        self._state = BenchmarkState(0, 1, "Waiting for another benchmark on this server to end", 0.0)
        self._started = 0.0
        self.start()

    @property
    def state(self) -> BenchmarkState:
        """A snapshot."""
        return self._state

    def work(self) -> None:
        """Wait for the turn, then measure."""
        while not _turn.acquire(timeout=_POLL_SECONDS):
            self.check_cancelled()
        try:
            self._started = time.perf_counter()
            self.report = run_benchmark(*self._arguments, on_step=self._on_step, cancelled=self.cancelled)
        finally:
            _turn.release()
            del self._arguments  # the stack must not live as long as its figures

    def _on_step(self, done: int, total: int, text: str) -> None:
        self._state = BenchmarkState(done, total, text, time.perf_counter() - self._started)
