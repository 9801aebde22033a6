"""The steps from PyTorch weights to an INT8 model: ONNX, quantization, OpenVINO IR.

Only the callers that make models come here; torch, onnx, nncf and openvino are imported by the steps that use them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.base.errors import DiskFull, ModelError
from core.base.settings import MODEL_INPUT_SIDE
from core.engines.openvino import shared_core
from core.images.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from core.optimize.gate import GATE_AGREEMENT

MAX_EXPORT_DIFFERENCE = 1e-3  # largest difference of any logit between PyTorch and the exported graph
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

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Validation:
    """Model inputs uint8 ``[N, 224, 224, 3]`` and the class index ``[N]`` that FP32 names for each."""

    inputs: NDArray[np.uint8]
    classes: NDArray[np.int64]


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


def load_nncf() -> None:
    """Import NNCF ahead of ``quantize``."""
    import nncf  # noqa: F401


def quantize(
    model: Any,
    calibration: NDArray[np.uint8],
    recipe: Recipe,
    *,
    validation: Validation | None = None,
    on_progress: Progress = lambda activity, done, total: None,
) -> Any:
    """Quantize a converted model to INT8 with NNCF post-training quantization; returns a new ``ov.Model``.

    Args:
        model: ``ov.Model`` with a normalised float32 NCHW input.
        calibration: model inputs uint8 ``[N, 224, 224, 3]``, the kind of images the model will see.
        recipe: which of NNCF's ways to take.
        validation: for an accuracy-aware recipe, other images on which INT8 is held against FP32.
        on_progress: called with NNCF's name of what it is doing, and how much of it is done, of how much.
    """
    import nncf

    dataset = nncf.Dataset(list(calibration), lambda inputs: normalise(inputs[None]))
    options = {
        "preset": nncf.QuantizationPreset(recipe.preset),
        "subset_size": len(calibration),
        "fast_bias_correction": recipe.fast_bias_correction,
    }
    with _nncf_progress(on_progress):
        if not recipe.accuracy_aware:
            return nncf.quantize(model, dataset, **options)
        if validation is None or not len(validation.inputs):
            raise ValueError("an accuracy-aware recipe needs validation images")

        def agreement(compiled: Any, items: Iterable[tuple[NDArray[np.uint8], int]]) -> float:
            return float(np.mean([compiled(normalise(inputs[None]))[0].argmax() == known for inputs, known in items]))

        # NNCF hands out the items untransformed, and sometimes only a few of them: each carries FP32's class.
        items = list(zip(validation.inputs, validation.classes, strict=True))
        return nncf.quantize_with_accuracy_control(
            model,
            calibration_dataset=dataset,
            validation_dataset=nncf.Dataset(items, lambda item: normalise(item[0][None])),
            validation_fn=agreement,
            max_drop=1 - GATE_AGREEMENT,
            **options,
        )


@contextmanager
def _nncf_progress(on_progress: Progress) -> Iterator[None]:
    """Tell what NNCF's progress bars show. It offers no hook for them, but all of them go through one class."""
    from nncf.common.logging.track_progress import track

    show = track.__iter__

    def tell(bar: Any) -> Iterator[Any]:
        total = int(bar.total or len(bar.sequence))
        for done, item in enumerate(show(bar)):
            on_progress(bar.description, done, total)
            yield item
        on_progress(bar.description, total, total)

    track.__iter__ = tell
    try:
        yield
    finally:
        track.__iter__ = show


def normalise(inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Model inputs uint8 ``[N, 224, 224, 3]`` as a graph without built-in normalisation takes them: float32 NCHW."""
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    return np.ascontiguousarray(((inputs.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2))


def save_ir(model: Any, path: Path) -> None:
    """Write ``path`` (.xml, weights beside it as .bin) with normalisation built into the graph.

    The saved model takes uint8 ``[batch, 224, 224, 3]``, so that no engine or caller normalises by itself.

    Raises:
        DiskFull: it cannot be written; OpenVINO does not say why.
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
    try:
        ov.save_model(complete, str(path), compress_to_fp16=False)
    except RuntimeError as error:
        raise DiskFull(f"{path.name} cannot be written: make room on the disk, and try again.") from error


def _number_names(model: Any) -> None:
    """Give nodes named by OpenVINO's process-wide counter (``Constant_143300``) their place in the graph instead.

    Otherwise the same inputs would give another file each time.
    """
    for place, node in enumerate(model.get_ordered_ops()):
        if found := _COUNTED_NAME.fullmatch(node.get_friendly_name()):
            node.set_friendly_name(f"{found[1]}_{place}")


def _compile_fp32(model: Any) -> Any:
    import openvino.properties.hint as hints

    return shared_core().compile_model(model, "CPU", {hints.inference_precision: "f32"})
