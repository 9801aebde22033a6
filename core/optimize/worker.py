"""The heavy steps, as a process of its own: export as in ``core.models``, quantization, the comparison of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from core.base.worker_main import Events, serve
from core.engines.engine import Stage
from core.engines.openvino_layers import layers_of
from core.images.preprocessing import Preprocessing
from core.models.architectures import ARCHITECTURES
from core.models.export_worker import export
from core.models.exported import file_fact
from core.models.openvino_ir import convert, save_ir
from core.optimize.layer_errors import layer_errors
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
    float_layers: Sequence[str],
) -> None:
    """Quantize the model at ``onnx`` and save its IR at ``ir``.

    ``inputs`` and ``validation`` name .npy files: model inputs, and for the latter also FP32's classes for them.
    ``float_layers`` are layers that stay FP32, as ``layers_of`` names them.
    """
    kind, graph = ARCHITECTURES[architecture], convert(Path(onnx))
    layers = layers_of(graph, kind.stages) if float_layers else ()
    kept = [layer.operation.get_friendly_name() for layer in layers if layer.name in float_layers]
    prepared = Preprocessing.model_validate(preprocessing)
    held_back = None
    if validation is not None:
        held_back = Validation(np.load(validation["inputs"]), np.load(validation["classes"]))
    calibrate, save = INT8_STEPS
    with events.step(calibrate) as tell:
        int8 = quantize(
            graph,
            np.load(inputs),
            RECIPES[recipe],
            prepared,
            validation=held_back,
            transformer=transformer,
            float_layers=kind.float_layers,
            float_operations=kept,
            on_progress=lambda doing, done, total: events.send("progress", doing=doing, done=done, total=total),
        )
        tell(RECIPES[recipe].title)
    with events.step(save) as tell:
        save_ir(int8, Path(ir), prepared, [Stage(*stage) for stage in stages])
        tell(file_fact(Path(ir).with_suffix(".bin")))


def compare_layers(events: Events, architecture: str, fp32: str, int8: str, inputs: str) -> None:
    """See ``core.optimize.layer_errors``; ``inputs`` names a .npy file of model inputs. Tells ``layers`` at the end."""
    images = np.load(inputs)
    found = layer_errors(
        Path(fp32),
        Path(int8),
        ARCHITECTURES[architecture].stages,
        images,
        lambda done: events.send("progress", doing="Comparing layers", done=done, total=len(images)),
    )
    events.send("layers", layers=[asdict(error) for error in found])


if __name__ == "__main__":
    # Loading NNCF takes two seconds, in which the other end reads the images.
    serve({"export": export, "make_int8": make_int8, "compare_layers": compare_layers}, between=load_nncf)
