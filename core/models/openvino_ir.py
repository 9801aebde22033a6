"""OpenVINO's form of a model: converted from ONNX, and written with everything in it that an engine needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.base.errors import DiskFull
from core.engines.engine import Stage
from core.engines.openvino_outputs import name_stages
from core.images.preprocessing import Preprocessing

_COUNTED_NAME = re.compile(r"([A-Z][A-Za-z]*)_\d+")


def convert(onnx_path: Path) -> Any:
    """The ``ov.Model`` of an ONNX file, weights in float32."""
    import openvino as ov

    return ov.convert_model(str(onnx_path))


def save_ir(model: Any, path: Path, preprocessing: Preprocessing, stages: Sequence[Stage]) -> None:
    """Write ``path`` (.xml, weights beside it as .bin) with normalisation built into the graph and the stages named.

    The saved model takes uint8 ``[batch, *preprocessing.input_shape]``, so that no engine or caller normalises by
    itself; the outputs of its stages are tensors called ``maps.1`` and so on.

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
    mean, std = preprocessing.mean, preprocessing.std
    steps.mean([255 * value for value in mean]).scale([255 * value for value in std])
    complete = processor.build()
    name_stages(complete, stages)
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
