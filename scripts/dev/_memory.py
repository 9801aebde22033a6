"""How much memory processes take (Linux)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

import psutil

SAMPLE_SECONDS = 0.1


def memory(pids: Sequence[int]) -> int:
    """Proportional set size of these processes in bytes: shared pages count once, divided among their users."""
    total = 0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            total += psutil.Process(pid).memory_full_info().pss
    return total


def family(pid: int) -> list[int]:
    """A process and those that it and they have started."""
    with contextlib.suppress(psutil.Error):
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return [pid]


class PeakMemory:
    """The most a process and those it started take while ``watching``; ``peak`` is in bytes."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.peak = memory(family(pid))

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look ten times a second until the block ends."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(SAMPLE_SECONDS):
                self.peak = max(self.peak, memory(family(self._pid)))

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
