"""Heavy steps in a process of their own; ``core.base.worker_main`` is its other end.

Why a process: libraries that give no chance to stop are ended with it at once, a crash in one of them or a lack of
memory ends nothing else, and their memory (PyTorch and NNCF: about 1 GB) goes back to the system when it is done.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from core.base.errors import AppError, DiskFull, ModelError, OutcomeInvalid, WeightsInvalid
from core.base.settings import PROJECT_ROOT

Event = dict[str, Any]

_KILLED = (
    "The work was ended by the system, most likely for lack of memory. The model in use is unchanged: close other "
    "programs and try again."
)
_CRASHED = "The work went wrong; the server's log says how. The model in use is unchanged: try it another way."


class WorkerEnded(AppError):
    """The process is gone without an answer."""

    code = "worker_ended"


class WorkerProcess:
    """A running worker. It ends with the context, with ``kill``, or with the process that started it."""

    def __init__(self, module: str) -> None:
        """``module`` is run as ``python -m`` does, and calls ``core.base.worker_main.serve``."""
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            # -W ignore: what libraries think of each other's future is nothing for the server's log.
            (sys.executable, "-W", "ignore", "-m", module),
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
        """End it at once, from any thread; whoever waits in ``call`` gets ``WorkerEnded``."""
        self._process.kill()

    def call(self, request: str, on_event: Callable[[Event], None] = lambda event: None, **arguments: object) -> None:
        """Send a request, wait until it is done, and pass on what is told meanwhile. Paths must be absolute.

        Raises:
            ModelError, DiskFull, OutcomeInvalid, OSError: as the step raised it.
            WorkerEnded: the process ended before the step did.
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
        raise WorkerEnded(_KILLED if killed else _CRASHED)


def _error(event: Event) -> Exception:
    kinds: dict[str, type[AppError]] = {
        kind.code: kind for kind in (ModelError, WeightsInvalid, DiskFull, OutcomeInvalid)
    }
    kind = kinds.get(event.get("code", ""))
    return kind(event["message"]) if kind else OSError(event.get("errno"), event["message"])


def _as_text(value: object) -> str:
    if isinstance(value, Path):
        return str(value.resolve())
    raise TypeError(f"expected text, a number or a path, got {type(value).__name__}")
