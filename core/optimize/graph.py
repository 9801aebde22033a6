"""The steps from PyTorch weights to an INT8 model: ONNX, quantization, OpenVINO IR.

Only the callers that make models come here; torch, onnx, nncf and openvino are imported by the steps that use them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.engines.openvino import shared_core
from core.errors import ModelError
from core.optimize.gate import GATE_AGREEMENT
from core.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from core.settings import MODEL_INPUT_SIDE

MAX_EXPORT_DIFFERENCE = 1e-3  # largest difference of any logit between PyTorch and the exported graph
BATCH = 16
_COUNTED_NAME = re.compile(r"([A-Z][A-Za-z]*)_\d+")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to quantize; see NNCF's documentation of post-training quantization for the terms."""

    name: str
    title: str
    preset: Literal["performance", "mixed"]
    fast_bias_correction: bool
    accuracy_aware: bool = False


# What the field tries, in this order, when INT8 strays too far from FP32: each costs more time or a little speed.
# "performance" quantizes activations symmetrically, which suits ResNet: all of them are behind a ReLU.
LADDER = (
    Recipe("default", "Default: fast bias correction", "performance", fast_bias_correction=True),
    Recipe("full-bias", "Full bias correction", "performance", fast_bias_correction=False),
    Recipe("mixed", "Mixed preset, full bias correction", "mixed", fast_bias_correction=False),
    Recipe("accuracy-aware", "Accuracy-aware: some layers stay FP32", "mixed", False, accuracy_aware=True),
)
RECIPES = {recipe.name: recipe for recipe in LADDER}


def export_onnx(network: Any, path: Path) -> None:
    """Export a ``torchvision.models.ResNet`` to ONNX: normalised float32 ``[batch, 3, 224, 224]``, dynamic batch."""
    import torch

    torch.onnx.export(
        network,
        (torch.zeros(2, 3, MODEL_INPUT_SIDE, MODEL_INPUT_SIDE),),
        path,
        input_names=["input"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        dynamo=True,
        verbose=False,
    )


def check_onnx(network: Any, path: Path) -> float:
    """Check an exported graph and return its largest absolute difference of any logit from PyTorch's.

    Raises:
        ModelError: the graph breaks ONNX's rules, or computes something else than ``network``.
    """
    import onnx
    import torch

    try:
        onnx.checker.check_model(path, full_check=True)
    except onnx.checker.ValidationError as error:
        raise ModelError("The exported model is not valid ONNX; it was not kept.") from error
    # Another batch size than the export's example, so that a batch frozen into the graph would be noticed.
    probe = torch.randn(3, 3, MODEL_INPUT_SIDE, MODEL_INPUT_SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(probe).numpy()
    difference = float(np.abs(_compile_fp32(convert(path))(probe.numpy())[0] - expected).max())
    if difference > MAX_EXPORT_DIFFERENCE:
        raise ModelError(f"The exported model differs from PyTorch by {difference:.4f}; it was not kept.")
    return difference


def convert(onnx_path: Path) -> Any:
    """The ``ov.Model`` of an ONNX file, weights in float32."""
    import openvino as ov

    return ov.convert_model(str(onnx_path))


def quantize(
    model: Any,
    calibration: NDArray[np.uint8],
    recipe: Recipe,
    *,
    validation: NDArray[np.uint8] | None = None,
    on_sample: Callable[[], None] = lambda: None,
) -> Any:
    """Quantize a converted model to INT8 with NNCF post-training quantization; returns a new ``ov.Model``.

    Args:
        model: ``ov.Model`` with a normalised float32 NCHW input.
        calibration: model inputs uint8 ``[N, 224, 224, 3]``, the kind of images the model will see.
        recipe: which of NNCF's ways to take.
        validation: for an accuracy-aware recipe, other model inputs on which INT8 is held against FP32.
        on_sample: called before each calibration image is used, several times for each; may raise to stop.

    Raises:
        whatever ``on_sample`` raises.
    """
    import nncf

    def transform(inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        on_sample()
        return normalise(inputs[None])

    dataset = nncf.Dataset(list(calibration), transform)
    options = {
        "preset": nncf.QuantizationPreset(recipe.preset),
        "subset_size": len(calibration),
        "fast_bias_correction": recipe.fast_bias_correction,
    }
    if not recipe.accuracy_aware:
        return nncf.quantize(model, dataset, **options)
    if validation is None or not len(validation):
        raise ValueError("an accuracy-aware recipe needs validation images")
    answers = run_fp32(model, validation).argmax(axis=1)

    def agreement(compiled: Any, items: Iterable[tuple[NDArray[np.uint8], int]]) -> float:
        return float(np.mean([compiled(transform(inputs))[0].argmax() == answer for inputs, answer in items]))

    return nncf.quantize_with_accuracy_control(
        model,
        calibration_dataset=dataset,
        # NNCF hands out the items untransformed, and sometimes only a few of them: each carries FP32's answer.
        validation_dataset=nncf.Dataset(list(zip(validation, answers, strict=True)), lambda item: transform(item[0])),
        validation_fn=agreement,
        max_drop=1 - GATE_AGREEMENT,
        **options,
    )


def normalise(inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Model inputs uint8 ``[N, 224, 224, 3]`` as a graph without built-in normalisation takes them: float32 NCHW."""
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    return np.ascontiguousarray(((inputs.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2))


def save_ir(model: Any, path: Path) -> None:
    """Write ``path`` (.xml, weights beside it as .bin) with normalisation built into the graph.

    The saved model takes uint8 ``[batch, 224, 224, 3]``, so that no engine or caller normalises by itself.
    """
    import openvino as ov
    from openvino.preprocess import PrePostProcessor

    processor = PrePostProcessor(model.clone())
    processor.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    processor.input().model().set_layout(ov.Layout("NCHW"))
    steps = processor.input().preprocess()
    steps.convert_element_type(ov.Type.f32)
    steps.mean([255 * value for value in IMAGENET_MEAN]).scale([255 * value for value in IMAGENET_STD])
    complete = processor.build()
    _number_names(complete)
    path.parent.mkdir(parents=True, exist_ok=True)
    ov.save_model(complete, str(path), compress_to_fp16=False)


def _number_names(model: Any) -> None:
    """Give nodes named by OpenVINO's process-wide counter (``Constant_143300``) their place in the graph instead.

    Otherwise the same inputs would give another file each time.
    """
    for place, node in enumerate(model.get_ordered_ops()):
        if found := _COUNTED_NAME.fullmatch(node.get_friendly_name()):
            node.set_friendly_name(f"{found[1]}_{place}")


def run_fp32(model: Any, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits float32 ``[N, classes]`` of a converted model, in true FP32; ``inputs`` is uint8 ``[N, 224, 224, 3]``."""
    compiled = _compile_fp32(model)
    return np.concatenate([compiled(normalise(inputs[i : i + BATCH]))[0] for i in range(0, len(inputs), BATCH)])


def _compile_fp32(model: Any) -> Any:
    import openvino.properties.hint as hints

    return shared_core().compile_model(model, "CPU", {hints.inference_precision: "f32"})
