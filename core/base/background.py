"""Work in a thread of its own: it can be watched, cancelled, and waited for, and tells how it ended."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

from core.base.errors import AppError, Cancelled

Status = Literal["running", "done", "cancelled", "failed"]

TakeTurn = Callable[[threading.Event], AbstractContextManager[object]]
"""Waits until work may begin, or raises Cancelled once the event is set; the turn ends with the ``with`` block."""


class BackgroundJob(ABC):
    """A job begins with ``start`` and ends by itself; ``message`` says why where it did not end well, and so does
    ``error`` where that was the product's own.

    ``waiting`` says that its turn has not come yet; its status is ``"running"`` from the start.
    """

    def __init__(self, name: str, take_turn: TakeTurn = nullcontext) -> None:
        self.status: Status = "running"
        self.waiting = True
        self._take_turn = take_turn
        self.message = ""
        self.error: type[AppError] | None = None  # its kind alone: an error keeps what the job worked with
        self.cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; subclasses call it once they are set up."""
        self._thread.start()

    def cancel(self) -> None:
        """Ask the job to stop at its next opportunity."""
        self.cancelled.set()

    def wait(self, timeout: float | None = None) -> None:
        """Block until the job ends or ``timeout`` seconds have passed."""
        self._thread.join(timeout)

    def check_cancelled(self, message: str = "Cancelled.") -> None:
        """Raise Cancelled once ``cancel`` has been called."""
        if self.cancelled.is_set():
            raise Cancelled(message)

    @abstractmethod
    def work(self) -> None:
        """Do it; an AppError's sentence becomes the job's message."""

    def _run(self) -> None:
        try:
            with self._take_turn(self.cancelled):
                self.waiting = False
                self.work()
        except Cancelled as error:
            self._end("cancelled", str(error))
        except AppError as error:
            self.error = type(error)
            self._end("failed", str(error))
        except OSError as error:
            self._end("failed", f"Nothing could be written: {error.strerror or error}.")
        except Exception as error:  # nobody may wait for ever, whatever went wrong
            self._end("failed", f"Something unexpected went wrong ({type(error).__name__}). Try again.")
            raise
        else:
            self._end("done", "")

    def _end(self, status: Status, message: str) -> None:
        self.message = message
        self.waiting = False
        self.status = status  # last: whoever sees the end may read all the rest
