"""Taking one measurement: wall-clock and CPU time, resident memory, percentiles."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import psutil

_SAMPLE_SECONDS = 0.01


class Meter:
    """Measures the block it surrounds.

    Attributes:
        seconds: wall-clock time.
        cpu_seconds: CPU time of the whole process, so other sessions' work in it counts too.
        peak_bytes, growth_bytes: most resident memory, sampled every 10 ms, and how much more than at the start.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    growth_bytes: int

    def __enter__(self) -> Self:
        self._process = psutil.Process()
        self._start_bytes = self.peak_bytes = self._process.memory_info().rss
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="memory-sampler", daemon=True)
        self._sampler.start()
        self._cpu_started, self._started = time.process_time(), time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._started
        self.cpu_seconds = time.process_time() - self._cpu_started
        self._ended.set()
        self._sampler.join()
        self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)
        self.growth_bytes = self.peak_bytes - self._start_bytes

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)


@dataclass(frozen=True, slots=True)
class Sample:
    """One pass over some images.

    Attributes:
        answers: first class of each image, or ``"error"``.
        latencies: seconds of single images, one after the other, taken beside the pass.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    growth_bytes: int
    answers: tuple[str, ...]
    latencies: tuple[float, ...]


def percentile(values: Sequence[float], share: float) -> float | None:
    """The ``share`` (0..1) quantile, interpolated linearly; None where not even one value is expected beyond it."""
    supported = values and math.floor(len(values) * (1 - share) + 1e-9) >= 1
    return float(np.quantile(values, share)) if supported else None
