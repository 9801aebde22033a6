"""From a PyTorch network to ONNX, and the proof that both compute the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.base.errors import ModelError
from core.engines.openvino import EXACT, shared_core
from core.models.openvino_ir import convert

MAX_EXPORT_DIFFERENCE = 1e-3  # largest difference of any logit between PyTorch and the exported graph


def export_onnx(network: Any, path: Path, side: int) -> None:
    """Export a ``torch.nn.Module`` to ONNX: normalised float32 ``[batch, 3, side, side]``, dynamic batch."""
    import torch

    torch.onnx.export(
        network,
        (torch.zeros(2, 3, side, side),),
        path,
        input_names=["input"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        dynamo=True,
        verbose=False,
    )


def check_export(network: Any, path: Path, side: int, *, allowed: float = MAX_EXPORT_DIFFERENCE) -> float:
    """Check an exported graph and return its largest absolute difference of any logit from PyTorch's.

    Raises:
        ModelError: the graph breaks ONNX's rules, or differs from ``network`` by more than ``allowed``.
    """
    import onnx
    import torch

    try:
        onnx.checker.check_model(path, full_check=True)
    except onnx.checker.ValidationError as error:
        raise ModelError("The exported model is not valid ONNX; it was not kept.") from error
    # Another batch size than the export's example, so that a batch frozen into the graph would be noticed.
    probe = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(probe).numpy()
    compiled = shared_core().compile_model(convert(path), "CPU", EXACT)
    difference = float(np.abs(compiled(probe.numpy())[0] - expected).max())
    if difference > allowed:
        raise ModelError(f"The exported model differs from PyTorch by {difference:.4f}; it was not kept.")
    return difference
