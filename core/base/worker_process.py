"""The process in which the heavy steps of an optimisation run; see ``core.optimize.worker`` for why and how."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from core.base.errors import AppError, DiskFull, ModelError
from core.base.settings import PROJECT_ROOT

# -W ignore: what libraries think of each other's future is nothing for the server's log.
COMMAND = (sys.executable, "-W", "ignore", "-m", "core.optimize.worker")

Event = dict[str, Any]

_KILLED = (
    "The optimisation was ended by the system, most likely for lack of memory. The model in use is unchanged: close "
    "other programs and try again."
)
_CRASHED = "The optimisation went wrong; the server's log says how. The model in use is unchanged: try another recipe."


class ChildEnded(AppError):
    """The process is gone without an answer."""

    code = "optimization_ended"


class Child:
    """A running worker. It ends with the context, with ``kill``, or with the process that started it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT_ROOT,
            start_new_session=True,  # Ctrl+C is for the parent, which then ends this one
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # a request it did not take any more
                if stream is not None:
                    stream.close()
        self._process.wait()

    def kill(self) -> None:
        """End it at once, from any thread; whoever waits in ``call`` gets ``ChildEnded``."""
        self._process.kill()

    def call(self, request: str, on_event: Callable[[Event], None] = lambda event: None, **arguments: object) -> None:
        """Send a request, wait until it is done, and pass on what is told meanwhile. Paths must be absolute.

        Raises:
            ModelError, DiskFull, OSError: as the step raised it.
            ChildEnded: the process ended before the step did.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - both were asked for
        assert stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):  # told below, by the end of the output
            stdin.write(json.dumps({"request": request, **arguments}, default=_as_text) + "\n")
            stdin.flush()
        for line in stdout:
            event: Event = json.loads(line)
            match event["event"]:
                case "done":
                    return
                case "failed":
                    raise _error(event)
                case _:
                    on_event(event)
        killed = self._process.wait() < 0
        raise ChildEnded(_KILLED if killed else _CRASHED)


def _error(event: Event) -> Exception:
    kinds: dict[str, type[AppError]] = {kind.code: kind for kind in (ModelError, DiskFull)}
    kind = kinds.get(event.get("code", ""))
    return kind(event["message"]) if kind else OSError(event.get("errno"), event["message"])


def _as_text(value: object) -> str:
    if isinstance(value, Path):
        return str(value.resolve())
    raise TypeError(f"expected text, a number or a path, got {type(value).__name__}")
