"""A foreign graph brought into the form of all: normalised float32 NCHW in, logits out, what it looks at named."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.base.errors import ModelError
from core.base.settings import MIB
from core.engines.engine import FEATURES, LOGITS, map_name
from core.engines.openvino_memory import MANY, peak_bytes
from core.models.openvino_info import last_layer

MOST_SIDE = 1024  # px; EfficientNet-L2 takes 800
MOST_IMAGE_BYTES = 256 * MIB  # that one image may take: a ViT-L/16 for 512 px takes 200, a ResNet50 10
_NORMALISED = ("Softmax", "LogSoftmax", "Sigmoid")
_SAME_SIZE = {"Reshape", "Squeeze", "Flatten", "Convert"}


@dataclass(frozen=True, slots=True)
class Found:
    """What a graph is: ``features`` and ``maps`` are widths, 0 where it has none."""

    side: int
    classes: int
    features: int
    maps: int
    transformer: bool

    def as_dict(self) -> dict[str, int | bool]:
        """For JSON."""
        return asdict(self)


def unify(model: Any, side: int) -> Found:
    """Change an ``ov.Model`` in place; ``side`` is that of the input where the graph leaves it open, 0 for unknown.

    Raises:
        ModelError: it is no classifier of single RGB images.
    """
    from openvino import opset13 as ops

    side = _side(model, side)
    model.reshape([-1, 3, side, side])
    (result,) = model.get_results()
    logits = result.input_value(0)
    if logits.get_node().get_type_name() in _NORMALISED[:1]:
        logits = logits.get_node().input_value(0)  # confidences are made here, by temperature
    if logits.get_node().get_type_name() in _NORMALISED:
        raise ModelError("The model gives no plain class scores (logits); export it without its last activation.")
    width = logits.get_partial_shape()
    if width.rank.get_length() == 4 and str(width[2]) == str(width[3]) == "1":
        logits = ops.reshape(logits, ops.constant(np.array([0, -1], np.int64)), special_zero=True).output(0)
        width = logits.get_partial_shape()
    if width.rank.get_length() != 2 or width[1].is_dynamic or width[1].get_length() < 2:
        raise ModelError("The model does not give one score for each class; only classifiers can be used.")
    if width[0].is_static:
        raise ModelError("The model works on one batch size alone; export it with a dynamic batch.")
    for node in model.get_ordered_ops():
        for output in node.outputs():
            output.get_tensor().set_names(set())
    features, maps = _name_looked_at(logits)
    model.add_results([ops.result(logits)])
    model.remove_result(result)
    logits.get_tensor().set_names({LOGITS})
    model.validate_nodes_and_infer_types()
    kinds = {node.get_type_name() for node in model.get_ordered_ops()}
    attends = "ScaledDotProductAttention" in kinds or {"Softmax", "MatMul"} <= kinds
    return Found(side, width[1].get_length(), features, maps, attends)


def _side(model: Any, side: int) -> int:
    """Of a model's input; ``side`` where the graph leaves it open."""
    import openvino as ov

    if len(model.inputs) != 1:
        raise ModelError(f"The model takes {len(model.inputs)} inputs; only classifiers of one image can be used.")
    if any(node.get_type_name() == "FakeQuantize" for node in model.get_ordered_ops()):
        raise ModelError("The model is quantized already; give its floating-point form, from which INT8 is made here.")
    if len(model.outputs) != 1:
        raise ModelError(f"The model gives {len(model.outputs)} outputs; export it with its class scores alone.")
    shape = model.input(0).partial_shape
    if shape.rank.is_dynamic or len(shape) != 4 or model.input(0).element_type != ov.Type.f32:
        raise ModelError("The model does not take float images [batch, 3, height, width]; export it so.")
    sizes = [dimension.get_length() if dimension.is_static else -1 for dimension in shape]
    if sizes[1] not in {3, -1} or (sizes[1] == -1 and sizes[3] == 3):
        raise ModelError("The model does not take RGB images [batch, 3, height, width]; export it so.")
    sides = {size for size in sizes[2:] if size > 0} or ({side} if side else set())
    if len(sides) != 1:
        raise ModelError("The model's images are not square, or their size is not said; give its preprocessing.")
    (side,) = sides
    check_side(side)
    return side


def check_side(side: int) -> None:
    """Raise ModelError where images of ``side`` pixels, many of which wait for their turn, would take too much."""
    if side > MOST_SIDE:
        raise ModelError(f"The model takes images of {side:,} px a side; at most {MOST_SIDE:,} can be given.")


def check_size(model: Any, most_bytes: int = MOST_IMAGE_BYTES) -> None:
    """Raise ModelError where an ``ov.Model`` takes more than ``most_bytes`` for an image, or more for each of many."""
    one, many = peak_bytes(model), peak_bytes(model, MANY)
    if one > most_bytes:
        raise ModelError(
            f"The model takes {one / 1e6:,.0f} MB for one image, far more than an image classifier should; "
            f"{most_bytes / 1e6:,.0f} MB are allowed. Choose a smaller one, or a smaller input."
        )
    if many > MANY * one:
        raise ModelError(
            "The model takes more memory for each image the more come together; only plain graphs can be used."
        )


def _name_looked_at(logits: Any) -> tuple[int, int]:
    """Name what the last linear layer takes, and the maps it is the mean of; their widths, 0 where there are none."""
    last = last_layer(logits)
    if last is None:
        return 0, 0
    features = last[0]
    width = features.get_partial_shape()[1]
    if width.is_dynamic:
        return 0, 0
    features.get_tensor().add_names({FEATURES})
    node = features.get_node()
    while node.get_type_name() in _SAME_SIZE:
        node = node.input_value(0).get_node()
    if node.get_type_name() not in {"ReduceMean", "AvgPool"}:
        return width.get_length(), 0
    maps = node.input_value(0)
    shape = maps.get_partial_shape()
    if shape.rank.get_length() != 4 or shape[1] != width or shape[2].is_dynamic:
        return width.get_length(), 0
    maps.get_tensor().add_names({map_name(1)})
    return width.get_length(), width.get_length()


def head_of(model: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """The last linear layer of a unified graph: float32 ``[classes, features]`` and bias; None without one."""
    logits = model.get_results()[0].input_value(0)
    last = last_layer(logits)
    if last is None:
        return None
    weight, bias = _numbers(last[1].get_node()), np.zeros(logits.get_partial_shape()[1].get_length(), np.float32)
    if weight is None:
        return None
    if logits.get_node().get_type_name() == "Add":
        constants = [_numbers(value.get_node()) for value in logits.get_node().input_values()]
        given = next((values for values in constants if values is not None), bias)
        bias = given.reshape(-1)
    return weight, np.ascontiguousarray(bias, np.float32)


def _numbers(node: Any) -> np.ndarray | None:
    """Of a constant, also where it is converted or transposed first."""
    if node.get_type_name() == "Constant":
        return np.ascontiguousarray(node.data, np.float32)
    if node.get_type_name() in {"Convert", "Transpose"}:
        inner = _numbers(node.input_value(0).get_node())
        return inner if inner is None or node.get_type_name() == "Convert" else np.ascontiguousarray(inner.T)
    return None
