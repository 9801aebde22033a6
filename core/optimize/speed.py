"""Two engines' speed on a machine that others use too: in pairs of turns, with an interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from core.engines.batch_size import throughput
from core.engines.engine import Engine

PAIRS = 15
# Between the fourth of 15 sorted values from either end lies their population's median in 96 of 100 cases, however
# they are distributed (binomial). What slows the machine down for longer than a pair's turns slows both.
_OUTSIDE = 3
_BATCH = 8


@dataclass(frozen=True, slots=True)
class SpeedComparison:
    """How fast ``after`` is beside ``before``, inference alone.

    Attributes:
        before, after: images per second, medians, with the engine's requests all busy.
        ratio: of after to before, the median of the pairs; ``low`` and ``high`` are its 95% interval.
    """

    before: float
    after: float
    ratio: float
    low: float
    high: float

    @property
    def sentence(self) -> str:
        """For people."""
        rates = f"{self.before:,.0f} images per second before, {self.after:,.0f} after, inference alone"
        if self.low <= 1 <= self.high:
            return f"{rates}: no difference that this measurement can tell ({self._percent})."
        return f"{rates}: {'slower' if self.ratio < 1 else 'faster'} by {abs(1 - self.ratio):.0%} ({self._percent})."

    @property
    def _percent(self) -> str:
        return f"95% interval {self.low - 1:+.0%} to {self.high - 1:+.0%}"


def compare_speed(before: Engine, after: Engine, check: Callable[[], None] = lambda: None) -> SpeedComparison:
    """Measure two engines in turns, about two seconds for INT8 on two cores; what ``check`` raises ends it."""
    for engine in (before, after):
        throughput(engine, _BATCH, 0.0)  # the first calls of a new shape build its kernels
    pairs = []
    for number in range(PAIRS):
        check()
        # Each goes first in every other pair: caches and clocks favour whoever comes second.
        order = (before, after) if number % 2 else (after, before)
        rates = {id(engine): throughput(engine, _BATCH, 0.0) for engine in order}
        pairs.append((rates[id(before)], rates[id(after)]))
    ratios = sorted(new / old for old, new in pairs)
    return SpeedComparison(
        median(old for old, _ in pairs),
        median(new for _, new in pairs),
        median(ratios),
        ratios[_OUTSIDE],
        ratios[-1 - _OUTSIDE],
    )
