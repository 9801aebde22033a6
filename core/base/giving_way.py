"""Python work of a second or so, in a thread, beside which others are still served at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

WORK_SECONDS = 0.001
PAUSE_SECONDS = 0.0002


def giving_way(
    items: Iterable[Item], clock: Callable[[], float] = time.perf_counter, pause: Callable[[float], None] = time.sleep
) -> Iterator[Item]:
    """``items``, with a pause after every millisecond of work on them, in which another thread gets its turn.

    Left alone, Python gives a turn to a thread that has waited for 5 ms, and one request waits for some ten turns. A
    pause must be a real one: after ``sleep(0)`` a thread has the lock again before another has woken up.
    """
    end = clock() + WORK_SECONDS
    for item in items:
        if clock() >= end:
            pause(PAUSE_SECONDS)
            end = clock() + WORK_SECONDS
        yield item
