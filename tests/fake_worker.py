"""A stand-in for ``core.optimize.worker``: the same events in no time, and the accidents a test asks for.

Tests call ``use_fake_worker``; the rest runs in the worker's process. Environment: ``FAKE_FORMS`` and ``FAKE_INT8``
name folders with the files that it pretends to make; ``FAKE_ACCIDENT`` is ``PLACE:KIND``, where PLACE is a step's title
and KIND is killed, full, broken, unforeseen or endless.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.base.errors import ModelError
from core.base.worker_main import Events, serve
from core.models.architectures import RESNET18
from core.models.exported import EXPORT_STEPS
from core.models.model import Model
from core.optimize.worker import INT8_STEPS

SetAccident = Callable[[str], None]


def use_fake_worker(starter: Model, monkeypatch: pytest.MonkeyPatch) -> SetAccident:
    """From now on heavy work on ``starter`` takes no time; call the result with ``PLACE:KIND`` for an accident."""
    forms = starter.fp32_ir().parent  # for real, once for all tests
    monkeypatch.setenv("FAKE_FORMS", str(forms))
    monkeypatch.setenv("FAKE_INT8", str(starter.folder))
    for module in ("run", "layer_job"):
        monkeypatch.setattr(f"core.optimize.{module}.WORKER", "tests.fake_worker")
    return lambda accident: monkeypatch.setenv("FAKE_ACCIDENT", accident)


PLACE, _, KIND = os.environ.get("FAKE_ACCIDENT", "").partition(":")


def accident(title: str) -> None:
    if title != PLACE:
        return
    match KIND:
        case "killed":  # as the system does when memory runs out
            os.kill(os.getpid(), signal.SIGKILL)
        case "full":
            raise OSError(28, "No space left on device")
        case "broken":
            raise ModelError("The weights are broken.")
        case "unforeseen":
            raise ZeroDivisionError
        case "endless":
            time.sleep(600)


def export(events: Events, draft: str, **_: object) -> None:
    for title in EXPORT_STEPS:
        with events.step(title):
            (Path(draft) / "half-written").touch()
            accident(title)
    for name in (RESNET18.onnx_name, RESNET18.fp32_name, RESNET18.fp32_name.replace(".xml", ".bin")):
        shutil.copyfile(Path(os.environ["FAKE_FORMS"]) / name, Path(draft) / name)


def make_int8(events: Events, ir: str, **_: object) -> None:
    for title in INT8_STEPS:
        with events.step(title):
            events.send("progress", doing="Statistics collection", done=1, total=2)
            Path(ir).write_text("half-written")
            print("libraries print things, too")
            accident(title)
    for suffix in (".xml", ".bin"):
        source = Path(os.environ["FAKE_INT8"]) / Path(ir).with_suffix(suffix).name
        shutil.copyfile(source, Path(ir).with_suffix(suffix))


def compare_layers(events: Events, **_: object) -> None:
    events.send("progress", done=1, total=2)
    accident("Compare layer by layer")
    found = [("first convolution", 30.0), ("stage 4, block 2, convolution 2", 5.0), ("last layer", None)]
    events.send("layers", layers=[{"layer": layer, "own": own, "carried": own} for layer, own in found])


if __name__ == "__main__":
    serve({"export": export, "make_int8": make_int8, "compare_layers": compare_layers})
