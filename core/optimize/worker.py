"""The heavy steps of an optimisation, as a process of its own: export as in ``core.models``, and quantization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.base.worker_main import Events, serve
from core.engines.engine import Stage
from core.images.preprocessing import Preprocessing
from core.models.architectures import ARCHITECTURES
from core.models.export_worker import export
from core.models.exported import file_fact
from core.models.openvino_ir import convert, save_ir
from core.optimize.quantize import RECIPES, Validation, load_nncf, quantize

INT8_STEPS = ("Calibrate and quantize", "Save the INT8 model")


def make_int8(
    events: Events,
    architecture: str,
    preprocessing: Mapping[str, Any],
    onnx: str,
    inputs: str,
    validation: Mapping[str, str] | None,
    recipe: str,
    ir: str,
    stages: Sequence[tuple[str, int]],
    transformer: bool,
) -> None:
    """Quantize the model at ``onnx`` and save its IR at ``ir``.

    ``inputs`` and ``validation`` name .npy files: model inputs, and for the latter also FP32's classes for them.
    """
    prepared = Preprocessing.model_validate(preprocessing)
    held_back = None
    if validation is not None:
        held_back = Validation(np.load(validation["inputs"]), np.load(validation["classes"]))
    calibrate, save = INT8_STEPS
    with events.step(calibrate) as tell:
        int8 = quantize(
            convert(Path(onnx)),
            np.load(inputs),
            RECIPES[recipe],
            prepared,
            validation=held_back,
            float_layers=ARCHITECTURES[architecture].float_layers,
            transformer=transformer,
            on_progress=lambda doing, done, total: events.send("progress", doing=doing, done=done, total=total),
        )
        tell(RECIPES[recipe].title)
    with events.step(save) as tell:
        save_ir(int8, Path(ir), prepared, [Stage(*stage) for stage in stages])
        tell(file_fact(Path(ir).with_suffix(".bin")))


if __name__ == "__main__":
    # Loading NNCF takes two seconds, in which the other end reads the images.
    serve({"export": export, "make_int8": make_int8}, between=load_nncf)
