"""OpenVINO's form of a model: converted from ONNX, and written with everything in it that an engine needs."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.base.errors import DiskFull, ModelError
from core.engines.engine import Stage
from core.engines.openvino import shared_core
from core.engines.openvino_network import IMAGE, only_network
from core.engines.openvino_outputs import has_stages, name_stages
from core.images.preprocessing import Preprocessing
from core.models.openvino_info import UNKNOWN_FACTS, Facts, describe_graph

_COUNTED_NAME = re.compile(r"([A-Z][A-Za-z]*)_\d+")


def convert(path: Path) -> Any:
    """The ``ov.Model`` of an ONNX file, weights in float32, or of an imported graph."""
    import openvino as ov

    return shared_core().read_model(str(path)) if path.suffix == ".xml" else ov.convert_model(str(path))


def save_ir(
    model: Any, path: Path, preprocessing: Preprocessing, stages: Sequence[Stage], facts: Facts = UNKNOWN_FACTS
) -> None:
    """Write ``path`` (.xml, weights beside it as .bin) so that it says all of itself: ``openvino_info.describe_graph``.

    Preprocessing is part of the graph, so that no engine or caller normalises by itself; the outputs of its stages are
    tensors called ``maps.1`` and so on.

    Args:
        model: takes normalised float32 NCHW, as ``convert`` and quantization give it.

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
    if not has_stages(complete, stages):
        name_stages(complete, stages)
    describe_graph(complete, preprocessing, stages, facts)
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(complete, path)


def describe_again(path: Path, preprocessing: Preprocessing, stages: Sequence[Stage], facts: Facts) -> None:
    """Have the IR at ``path`` say other ``facts``; its weights stay. One that said none before says them then.

    Raises:
        ModelError: it cannot be read.
        DiskFull: it cannot be written.
    """
    try:
        network = only_network(shared_core().read_model(str(path)))
    except RuntimeError as error:
        raise ModelError(f"The model file {path.name} cannot be read; install the model again.") from error
    if not has_stages(network, stages):
        name_stages(network, stages)
    describe_graph(network, preprocessing, stages, facts)
    with tempfile.TemporaryDirectory(dir=path.parent) as name:  # the weights are being read while they are written
        draft = Path(name) / path.name
        _save(network, draft)
        del network
        for made in (draft.with_suffix(".bin"), draft):
            made.replace(path.parent / made.name)


def save_turned_round(path: Path, target: Path) -> None:
    """Write a copy of the IR at ``path`` to ``target`` that takes BGR images where the former takes RGB.

    Raises:
        ModelError: the IR is damaged, or takes no whole images.
        DiskFull: it cannot be written.
    """
    import numpy as np
    from openvino import opset13 as ops

    try:
        model = shared_core().read_model(str(path))
    except RuntimeError as error:
        raise ModelError(f"The model file {path.name} cannot be read; install the model again.") from error
    image = model.input(0)
    if IMAGE not in image.get_names():
        raise ModelError(f"{path.name} says nothing of images yet: run python -m scripts.describe_model on its folder.")
    targets = list(image.get_node().output(0).get_target_inputs())
    order, axis = ops.constant(np.array([2, 1, 0], np.int64)), ops.constant(np.int64(3))
    turned = ops.gather(image.get_node().output(0), order, axis)
    for one in targets:
        one.replace_source_output(turned.output(0))
    model.validate_nodes_and_infer_types()
    _save(model, target)


def _save(model: Any, path: Path) -> None:
    import openvino as ov

    _number_names(model)
    try:
        ov.save_model(model, str(path), compress_to_fp16=False)
    except RuntimeError as error:
        raise DiskFull(f"{path.name} cannot be written: make room on the disk, and try again.") from error


def _number_names(model: Any) -> None:
    """Give nodes named by OpenVINO's process-wide counter (``Constant_143300``) their place in the graph instead.

    Otherwise the same inputs would give another file each time.
    """
    for place, node in enumerate(model.get_ordered_ops()):
        if found := _COUNTED_NAME.fullmatch(node.get_friendly_name()):
            node.set_friendly_name(f"{found[1]}_{place}")
