"""The heavy steps of an optimisation, as a process of its own; ``core.base.worker_process`` is its other end.

Why a process: libraries that give no chance to stop are ended with it at once, a crash in one of them or a lack of
memory ends nothing else, and the memory of PyTorch and NNCF (about 1 GB) goes back to the system when it is done.

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

import numpy as np

from core.base.errors import AppError
from core.base.telemetry import forbid_telemetry
from core.models.exported import INT8_STEPS, file_fact, write_base
from core.optimize import graph
from core.optimize.graph import RECIPES


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
        """A step of ``write_base``; see ``core.models.exported.Step``."""
        self.send("step", title=title)
        yield lambda detail: self.send("detail", text=detail)


def base(events: Events, weights: str, draft: str) -> None:
    """See ``core.models.exported.write_base``."""
    write_base(Path(weights), Path(draft), events.step)


def quantize(
    events: Events, onnx: str, inputs: str, validation: Mapping[str, str] | None, recipe: str, ir: str
) -> None:
    """Quantize the model at ``onnx`` and save its IR at ``ir``.

    ``inputs`` and ``validation`` name .npy files: model inputs, and for the latter also FP32's classes for them.
    """
    held_back = None
    if validation is not None:
        held_back = graph.Validation(np.load(validation["inputs"]), np.load(validation["classes"]))
    calibrate, save = INT8_STEPS
    with events.step(calibrate) as tell:
        int8 = graph.quantize(
            graph.convert(Path(onnx)),
            np.load(inputs),
            RECIPES[recipe],
            validation=held_back,
            on_progress=lambda doing, done, total: events.send("progress", doing=doing, done=done, total=total),
        )
        tell(RECIPES[recipe].title)
    with events.step(save) as tell:
        graph.save_ir(int8, Path(ir))
        tell(file_fact(Path(ir).with_suffix(".bin")))


REQUESTS: Mapping[str, Callable[..., None]] = {"base": base, "quantize": quantize}


def main() -> None:
    """Answer requests until the input ends."""
    forbid_telemetry()
    events = Events(_take_output())
    requests = _listen()
    while True:
        request: dict[str, Any] = requests.get()
        try:
            REQUESTS[request.pop("request")](events, **request)
        except AppError as error:
            events.send("failed", code=error.code, message=str(error))
        except OSError as error:
            events.send("failed", errno=error.errno, message=error.strerror or str(error))
        else:
            events.send("done")
        graph.load_nncf()  # takes two seconds, in which the other end reads the images


def _take_output() -> TextIO:
    """Standard output for the events alone: NNCF prints to it too."""
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


if __name__ == "__main__":
    main()
