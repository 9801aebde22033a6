"""The steps of an optimisation as a person watches them: which is running, for how long, and what each has made."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class StepState:
    """One step: ``seconds`` so far or in all, ``detail`` what it does, made or found, ``share`` done of it (0..1)."""

    title: str
    status: Literal["waiting", "running", "done", "stopped"] = "waiting"
    seconds: float = 0.0
    detail: str = ""
    share: float | None = None


class StepProgress:
    """All steps, those still to come included; written by one job, read from any thread.

    ``check`` is called whenever something happens; what it raises ends the work.
    """

    def __init__(self, titles: Iterable[str], check: Callable[[], None]) -> None:
        self._states = {title: StepState(title) for title in titles}
        self._check = check
        self._current = ""
        self._started = 0.0
        self._images = self._counted = 0
        self._lock = threading.Lock()

    @property
    def states(self) -> tuple[StepState, ...]:
        """A snapshot."""
        with self._lock:
            return tuple(
                replace(state, seconds=time.perf_counter() - self._started) if state.status == "running" else state
                for state in self._states.values()
            )

    def begin(self, title: str, images: int = 0) -> None:
        """Leave the step that is running and enter another, in which ``count`` will be called for so many images."""
        self._check()
        self.end("done")
        with self._lock:
            self._current, self._images, self._counted = title, images, 0
            self._started = time.perf_counter()
            self._states[title] = StepState(title, "running")

    def end(self, status: Literal["done", "stopped"]) -> None:
        """Leave the step that is running, if any."""
        with self._lock:
            if self._current:
                seconds = time.perf_counter() - self._started
                state = self._states[self._current]
                self._states[self._current] = replace(state, status=status, seconds=seconds, share=None)
            self._current = ""

    def skip(self, title: str, detail: str) -> None:
        """The step was done before."""
        with self._lock:
            self._states[title] = StepState(title, "done", detail=detail)

    def tell(self, detail: str, share: float | None = None) -> None:
        """What the running step does, has made or found."""
        with self._lock:
            self._states[self._current] = replace(self._states[self._current], detail=detail, share=share)

    def count(self, images: int = 1) -> None:
        """So many more images of the running step; from any thread."""
        self._check()
        with self._lock:
            self._counted += images
            counted = self._counted
        self.tell(f"image {counted:,} of {self._images:,}", counted / self._images)
