"""The layers of an OpenVINO graph that compute with weights, named for people, the same in FP32 and INT8.

They are told by the structure of a residual network (He et al. 2015, figure 2), not by names in the file: those come
from the exporter and its version, and a graph may be older than the other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.engines.engine import Stage
from core.engines.openvino_outputs import adds_branches

FIRST, LAST = "first convolution", "last layer"
_WITH_WEIGHTS = ("Convolution", "MatMul")
_BETWEEN = ("FakeQuantize", "MaxPool", "Reshape")  # values pass these on the way from one layer into the next


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution, or the last linear layer.

    Attributes:
        name: ``stage 2, block 1, convolution 1``, for instance.
        operation: its ``ov.Node``.
        source: the ``ov.Output`` that it works on, before it is quantized.
        entry: the ``ov.Input`` through which that value comes in.
        output: the ``ov.Output`` after its bias, and after quantization where that follows at once.
    """

    name: str
    operation: Any
    source: Any
    entry: Any
    output: Any


def layers_of(model: Any, stages: Sequence[Stage]) -> tuple[Layer, ...]:
    """The layers of an ``ov.Model`` in the order of the network; ``stages`` are those of its architecture."""
    nodes = list(model.get_ordered_ops())
    operations = [node for node in nodes if node.get_type_name() in _WITH_WEIGHTS]
    names = _names_in_blocks(nodes, stages)
    found = []
    for number, operation in enumerate(operations, 1):
        name = names.get(operation.get_friendly_name())
        if name is None:
            name = LAST if operation.get_type_name() == "MatMul" else FIRST if number == 1 else f"layer {number}"
        entry = _entry(operation)
        found.append(Layer(name, operation, entry.get_source_output(), entry, _result(operation)))
    return tuple(found)


def _names_in_blocks(nodes: Sequence[Any], stages: Sequence[Stage]) -> dict[str, str]:
    """Names for people by the graph's own. A block ends in the sum of two branches; one may hold nothing."""
    names: dict[str, str] = {}
    blocks: dict[int, int] = {}
    numbers = {stage.channels: number for number, stage in enumerate(stages, 1)}
    for node in nodes:
        if not adds_branches(node):
            continue
        width = node.get_output_partial_shape(0)[1].get_length()
        stage, block = numbers.get(width, 0), blocks.get(width, 0) + 1
        blocks[width] = block
        shortcut, main = sorted((_branch(value.get_node()) for value in node.input_values()), key=len)
        place = f"stage {stage}, block {block}"
        names |= {operation.get_friendly_name(): f"{place}, shortcut" for operation in shortcut}
        for number, operation in enumerate(reversed(main), 1):
            names[operation.get_friendly_name()] = f"{place}, convolution {number}"
    return names


def _branch(node: Any) -> list[Any]:
    """The convolutions of a block's branch, last to first, from its end back to where the block begins."""
    found = []
    while not adds_branches(node) and node.get_type_name() != "MaxPool" and node.get_input_size():
        if node.get_type_name() == "Convolution":
            found.append(node)
        node = node.input_value(0).get_node()
    return found


def _entry(operation: Any) -> Any:
    entry = operation.input(0)
    while entry.get_source_output().get_node().get_type_name() in _BETWEEN:
        entry = entry.get_source_output().get_node().input(0)
    return entry


def _result(operation: Any) -> Any:
    output = operation.output(0)
    for kind in ("Add", "FakeQuantize"):  # the bias, and quantization
        followers = [target.get_node() for target in output.get_target_inputs()]
        if len(followers) == 1 and followers[0].get_type_name() == kind and not adds_branches(followers[0]):
            output = followers[0].output(0)
    return output
