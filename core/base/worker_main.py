"""The worker's end of ``core.base.worker_process``: what a module run as a worker process calls.

It reads one request a line from standard input, and writes events a line to standard output, both JSON. When its
input ends, so does it: the process that started it is gone, or has no more use for it.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from core.base.errors import AppError
from core.base.telemetry import forbid_telemetry

NICENESS = 10  # what the server answers meanwhile goes first


class Events:
    """Writes what happens to the other end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, event: str, **values: object) -> None:
        """One line."""
        self._stream.write(json.dumps({"event": event, **values}) + "\n")
        self._stream.flush()

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Tell that a step begins; what is yielded tells its result."""
        self.send("step", title=title)
        yield lambda detail: self.send("detail", text=detail)


def serve(
    requests: Mapping[str, Callable[..., None]],
    between: Callable[[], None] = lambda: None,
    niceness: int = NICENESS,
) -> None:
    """Answer requests by name until the input ends.

    Args:
        requests: what is called with an ``Events`` and the request's arguments.
        between: called after each request, while the other end is busy with its answer.
        niceness: how far it stands back behind the server.
    """
    forbid_telemetry()
    os.nice(niceness)
    events = Events(_take_output())
    waiting = _listen()
    while True:
        request: dict[str, Any] = waiting.get()
        try:
            requests[request.pop("request")](events, **request)
        except AppError as error:
            events.send("failed", code=error.code, message=str(error))
        except OSError as error:
            events.send("failed", errno=error.errno, message=error.strerror or str(error))
        else:
            events.send("done")
        between()


def _take_output() -> TextIO:
    """Standard output for the events alone: libraries print to it too."""
    own = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    return os.fdopen(own, "w")


def _listen() -> queue.SimpleQueue[dict[str, Any]]:
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            requests.put(json.loads(line))
        os._exit(0)  # in the middle of whatever it is: nobody waits for it any more

    threading.Thread(target=listen, daemon=True).start()
    return requests
