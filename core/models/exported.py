"""What all optimisations of one set of weights share: its ONNX and FP32 IR, made once and kept in the cache folder."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from core.models.architectures import load_resnet18
from core.optimize import graph
from core.base.worker_process import Child

ONNX_NAME = "resnet18.onnx"
FP32_NAME = "resnet18-fp32.xml"
BASE_STEPS = ("Load weights", "Export to ONNX", "Check against PyTorch", "Convert to OpenVINO")
INT8_STEPS = ("Calibrate and quantize", "Save the INT8 model")

_DRAFT = "draft-"
_ABANDONED_SECONDS = 3600.0  # a draft this old belongs to a process that was killed; making one takes seconds

# Enters a step by its title; what it yields takes the step's result as a sentence.
Step = Callable[[str], AbstractContextManager[Callable[[str], None]]]


def write_base(weights: Path, draft: Path, step: Step) -> None:
    """Write ``resnet18.onnx`` and ``resnet18-fp32.xml`` into ``draft``; ``step`` is entered for each of BASE_STEPS.

    Raises:
        ModelError: the weights do not fit a ResNet18, or the export went wrong.
        DiskFull, OSError: the files cannot be written.
    """
    load, export, check, convert = BASE_STEPS
    with step(load) as tell:
        network = load_resnet18(weights)
        tell(f"{weights.name}, {network.fc.out_features:,} classes")
    with step(export) as tell:
        graph.export_onnx(network, draft / ONNX_NAME)
        tell(file_fact(draft / ONNX_NAME))
    with step(check) as tell:
        tell(f"logits differ by at most {graph.check_onnx(network, draft / ONNX_NAME):.1e}")
    with step(convert) as tell:
        graph.save_ir(graph.convert(draft / ONNX_NAME), draft / FP32_NAME)
        tell(file_fact((draft / FP32_NAME).with_suffix(".bin")))


def has_base(folder: Path) -> bool:
    """Whether all of the base is in ``folder``."""
    return (folder / ONNX_NAME).exists()  # it is moved there last


def make_base(weights: Path, folder: Path) -> None:
    """Make the base of ``weights`` in ``folder`` unless it is there, in a process of its own.

    Raises:
        ModelError, DiskFull, OSError: as ``write_base``.
        ChildEnded: the process ended before it was done.
    """
    if not has_base(folder):
        with Child() as child:
            place_base(folder, lambda draft: child.call("base", weights=weights, draft=draft))


def place_base(folder: Path, write: Callable[[Path], None]) -> None:
    """Have ``write`` fill a draft folder as ``write_base`` does, and move its files to ``folder``.

    They appear complete or not at all. Two processes that do this at once give each other equal files.

    Raises:
        OSError: the folder cannot be written; and whatever ``write`` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for abandoned in folder.glob(f"{_DRAFT}*"):
        if time.time() - abandoned.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_DRAFT) as name:
        draft = Path(name)
        write(draft)
        for file in ((draft / FP32_NAME).with_suffix(".bin"), draft / FP32_NAME, draft / ONNX_NAME):
            file.replace(folder / file.name)


def file_fact(path: Path) -> str:
    """``resnet18.onnx, 44.7 MB``."""
    return f"{path.name}, {path.stat().st_size / 1e6:,.1f} MB"
