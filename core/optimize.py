"""From PyTorch weights to an INT8 model: ONNX, calibration, quantization, OpenVINO IR.

Only the callers that make models come here; torch, onnx, nncf and openvino are imported by the steps that use them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.engines.openvino import shared_core
from core.errors import ModelError
from core.network import load_resnet18
from core.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from core.settings import MODEL_INPUT_SIDE

MAX_EXPORT_DIFFERENCE = 1e-3  # largest difference of any logit between PyTorch and the exported graph
MAX_CALIBRATION_IMAGES = 300  # NNCF's own default; more images changed nothing measurable


def export_onnx(weights: Path, path: Path) -> None:
    """Export a ResNet18 to ONNX: float32 ``[batch, 3, 224, 224]`` normalised input, dynamic batch.

    Raises:
        ModelError: the weights do not fit, or the exported graph computes something else than PyTorch does.
    """
    import onnx
    import torch

    network = load_resnet18(weights)
    example = torch.zeros(2, 3, MODEL_INPUT_SIDE, MODEL_INPUT_SIDE)
    torch.onnx.export(
        network,
        (example,),
        path,
        input_names=["input"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        dynamo=True,
        verbose=False,
    )
    onnx.checker.check_model(path, full_check=True)
    probe = torch.randn(3, 3, MODEL_INPUT_SIDE, MODEL_INPUT_SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(probe).numpy()
    difference = float(np.abs(_run_fp32(convert(path), probe.numpy()) - expected).max())
    if difference > MAX_EXPORT_DIFFERENCE:
        raise ModelError(f"The exported model differs from PyTorch by {difference:.4f}; it was not kept.")


def convert(onnx_path: Path) -> Any:
    """The ``ov.Model`` of an ONNX file, weights in float32."""
    import openvino as ov

    return ov.convert_model(str(onnx_path))


def quantize(model: Any, calibration: NDArray[np.uint8], *, fast_bias_correction: bool = True) -> Any:
    """Quantize a converted model to INT8 with NNCF post-training quantization; returns a new ``ov.Model``.

    Args:
        model: ``ov.Model`` with a normalised float32 NCHW input.
        calibration: model inputs uint8 ``[N, 224, 224, 3]``, the kind of images the model will see.
        fast_bias_correction: False corrects each layer's bias on the really quantized activations before it:
            slower, and closer to FP32.
    """
    import nncf

    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)

    def normalise(inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = (inputs.astype(np.float32) / 255 - mean) / std
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None])

    return nncf.quantize(
        model,
        nncf.Dataset(list(calibration), normalise),
        # Symmetric activations: ResNet's are all behind a ReLU, and symmetric kernels are the fastest.
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(calibration),
        fast_bias_correction=fast_bias_correction,
    )


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
    path.parent.mkdir(parents=True, exist_ok=True)
    ov.save_model(processor.build(), str(path), compress_to_fp16=False)


def make_fp32_ir(weights: Path, path: Path) -> None:
    """Convert weights to an FP32 IR at ``path``; it appears there complete or not at all.

    Raises:
        ModelError: as for ``export_onnx``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as draft:
        onnx_path = Path(draft) / "resnet18.onnx"
        export_onnx(weights, onnx_path)
        save_ir(convert(onnx_path), Path(draft) / path.name)
        for suffix in (".bin", ".xml"):  # the .xml last: its presence means that the model is there
            (Path(draft) / path.name).with_suffix(suffix).replace(path.with_suffix(suffix))


def _run_fp32(model: Any, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    import openvino.properties.hint as hints

    compiled = shared_core().compile_model(model, "CPU", {hints.inference_precision: "f32"})
    result: NDArray[np.float32] = compiled(inputs)[0]
    return result
