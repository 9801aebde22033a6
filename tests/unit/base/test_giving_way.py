from __future__ import annotations

from collections.abc import Iterator

from core.base.giving_way import PAUSE_SECONDS, WORK_SECONDS, giving_way


class Clock:
    """Time that work and pauses take, and nothing else."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(self.now)
        self.now += seconds


def test_no_millisecond_of_work_goes_by_without_a_pause() -> None:
    clock = Clock()
    items = []
    for item in giving_way(range(1000), clock, clock.pause):
        items.append(item)
        clock.now += WORK_SECONDS / 10
    assert items == list(range(1000))
    starts = [0.0, *(pause + PAUSE_SECONDS for pause in clock.pauses)]
    worked = [end - start for start, end in zip(starts, [*clock.pauses, clock.now], strict=True)]
    assert max(worked) < 1.2 * WORK_SECONDS
    assert len(clock.pauses) <= 100


def test_what_takes_no_time_has_no_pause() -> None:
    clock = Clock()
    assert list(giving_way(range(1000), clock, clock.pause)) == list(range(1000))
    assert clock.pauses == []


def test_work_that_makes_the_items_counts_too() -> None:
    clock = Clock()

    def made() -> Iterator[int]:
        for number in range(10):
            clock.now += WORK_SECONDS
            yield number

    assert list(giving_way(made(), clock, clock.pause)) == list(range(10))
    assert len(clock.pauses) == 10
