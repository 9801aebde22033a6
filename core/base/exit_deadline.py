"""An end for a process that has been told to stop, whatever still runs in it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable


class ExitDeadline:
    """Ends the process ``seconds`` after ``begin``, unless it has ended by itself; ``clean`` runs just before.

    A thread inside a library, at work on a huge image, cannot be interrupted, and Python waits for it.
    """

    def __init__(self, seconds: float, clean: Callable[[], None]) -> None:
        self._seconds = seconds
        self._clean = clean
        self._begun, self._begin = os.pipe()
        threading.Thread(target=self._wait, name="exit-deadline", daemon=True).start()

    def begin(self) -> None:
        """Start the clock. Takes no lock, so that a signal handler may call it."""
        os.write(self._begin, b".")

    def _wait(self) -> None:
        os.read(self._begun, 1)
        time.sleep(self._seconds)
        self._clean()
        os._exit(128 + signal.SIGTERM)
