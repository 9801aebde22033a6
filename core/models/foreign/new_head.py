"""An imported graph with another last layer: what teaching makes of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ModelError
from core.engines.engine import FEATURES, LOGITS
from core.engines.openvino import shared_core
from core.engines.openvino_network import named_outputs
from core.models.card import WEIGHTS_NAME
from core.models.graph_files import GRAPH_BIN, GRAPH_XML
from core.models.new_head import BIAS, WEIGHT
from core.models.weight_files import safetensors
from core.models.weight_files.tensors import Stored


def write_graph_with_head(source: Path, folder: Path, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    """Write the graph of the model folder ``source`` into ``folder``, with another last layer over its features.

    Args:
        source: of an imported model, checked before.
        folder: of the new model.
        weight, bias: of the layer, float32 ``[classes, features]`` and ``[classes]``.

    Raises:
        ModelError: the graph has no features.
        OSError: the files cannot be written.
    """
    import openvino as ov
    from openvino import opset13 as ops

    model = shared_core().read_model(str(source / GRAPH_XML), str(source / GRAPH_BIN))
    features = named_outputs(model).get(FEATURES)
    if features is None:
        raise ModelError("This model does not end in a linear layer, so it cannot be taught; choose another.")
    (before,) = model.get_results()
    before.input_value(0).get_tensor().set_names(set())
    product = ops.matmul(features, ops.constant(np.ascontiguousarray(weight)), False, True)
    logits = ops.add(product, ops.constant(np.ascontiguousarray(bias)))
    logits.output(0).get_tensor().set_names({LOGITS})
    model.add_results([ops.result(logits)])
    model.remove_result(before)
    model.validate_nodes_and_infer_types()
    ov.save_model(model, str(folder / GRAPH_XML), compress_to_fp16=False)
    write_head(folder / WEIGHTS_NAME, weight, bias)


def write_head(target: Path, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    """The last layer as files of weights hold it, which maps are made with; ``target`` is new.

    Raises:
        OSError: it cannot be written.
    """
    own = {WEIGHT: np.ascontiguousarray(weight, np.float32), BIAS: np.ascontiguousarray(bias, np.float32)}
    stored = {
        name: Stored("float32", numbers.shape, 0, tuple(step // numbers.itemsize for step in numbers.strides))
        for name, numbers in own.items()
    }
    with target.open("xb") as file:
        safetensors.write(file, stored, own.__getitem__)
