"""What all optimisations of one set of weights share: its ONNX and FP32 IR, made once and kept in the cache folder."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from core.network import load_resnet18
from core.optimize import graph

ONNX_NAME = "resnet18.onnx"
FP32_NAME = "resnet18-fp32.xml"

Step = Callable[[str], AbstractContextManager[None]]

_lock = threading.Lock()


def make_base(weights: Path, folder: Path, step: Step = lambda title: nullcontext()) -> float | None:
    """Make ``folder/resnet18.onnx`` and ``folder/resnet18-fp32.xml`` from weights, unless they are there.

    Both appear complete or not at all. ``step`` is entered around each piece of the work, with its title.

    Returns the export's largest absolute difference of any logit from PyTorch; None where nothing had to be made.

    Raises:
        ModelError: the weights do not fit a ResNet18, or the export went wrong.
        whatever ``step`` raises.
    """
    with _lock:  # the second session waits and finds everything made
        if (folder / ONNX_NAME).exists():
            return None
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            draft = Path(name)
            with step("Load weights"):
                network = load_resnet18(weights)
            with step("Export to ONNX"):
                graph.export_onnx(network, draft / ONNX_NAME)
            with step("Check against PyTorch"):
                difference = graph.check_onnx(network, draft / ONNX_NAME)
            with step("Convert to OpenVINO"):
                graph.save_ir(graph.convert(draft / ONNX_NAME), draft / FP32_NAME)
            # The .onnx last: its presence means that all of it is there.
            for file in ((draft / FP32_NAME).with_suffix(".bin"), draft / FP32_NAME, draft / ONNX_NAME):
                file.replace(folder / file.name)
        return difference
