"""The outputs that an OpenVINO graph can give besides its logits: where its stages end, and pooled features of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.engines.engine import FEATURES, LOGITS, Stage, map_name
from core.engines.openvino_network import named_outputs


def name_stages(model: Any, stages: Sequence[Stage]) -> None:
    """Give the outputs of an ``ov.Model``'s stages the tensor names ``maps.1``, ``maps.2``, ...; see ``_find``."""
    for number, output in enumerate(_find(model, stages), 1):
        output.get_tensor().add_names({map_name(number)})


def stages_of(model: Any) -> tuple[Stage, ...]:
    """The stages that have names in an imported graph: one, or none."""
    found = named_outputs(model).get(map_name(1))
    return () if found is None else (Stage("", found.get_partial_shape()[1].get_length()),)


def output_names(model: Any, stages: Sequence[Stage]) -> tuple[str, ...]:
    """What ``add_outputs`` can make an ``ov.Model`` give."""
    maps = [map_name(number) for number in range(1, len(stages) + 1)]
    if has_stages(model, stages):
        return (LOGITS, FEATURES, *maps)
    return (LOGITS, FEATURES) if FEATURES in named_outputs(model) else (LOGITS,)


def has_stages(model: Any, stages: Sequence[Stage]) -> bool:
    """Whether all ``stages`` have names in the graph."""
    return bool(stages) and set(named_outputs(model)) >= {map_name(number) for number in range(1, len(stages) + 1)}


def add_outputs(model: Any, asked: Sequence[str], stages: Sequence[Stage]) -> None:
    """Make an ``ov.Model`` with named stages give the outputs ``asked``, in this order, instead of logits alone."""
    from openvino import opset13 as ops

    (logits,) = model.outputs
    named = named_outputs(model)
    maps = {number: named[map_name(number)] for number in range(1, len(stages) + 1)}
    results = []
    for name in asked:
        if name == LOGITS:
            source = logits.get_node().input_value(0)
        elif name == FEATURES and not maps:
            source = named[FEATURES]
        elif name == FEATURES:
            pooled = [ops.reduce_mean(output, [2, 3], keep_dims=False).output(0) for output in maps.values()]
            source = ops.concat(pooled, 1).output(0)
        else:
            source = next(output for number, output in maps.items() if map_name(number) == name)
        results.append(ops.result(source))
    model.add_results(results)
    model.remove_result(logits.get_node())
    model.validate_nodes_and_infer_types()


def _find(model: Any, stages: Sequence[Stage]) -> list[Any]:
    """The outputs of a residual network's stages, found by its structure; none where it has another.

    A block of a ResNet ends in the ReLU of a sum of two branches (He et al. 2015, figure 2), and a stage's blocks have
    one width, so a stage ends in the last such ReLU of its width. In an INT8 graph it is quantized there; the values
    after that cost nothing to look at, those before it would have to be computed a second time in floating point.
    """
    last: dict[int, Any] = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Relu" and adds_branches(node.input_value(0).get_node()):
            last[node.get_output_partial_shape(0)[1].get_length()] = node.output(0)
    found = [last.get(stage.channels) for stage in stages]
    return [] if None in found else [_quantized(output) for output in found]


def adds_branches(node: Any) -> bool:
    """Whether a node of an ``ov.Model`` adds up two branches of a residual block, and not a bias."""
    sources = [value.get_node().get_type_name() for value in node.input_values()]
    return node.get_type_name() == "Add" and "Constant" not in sources and "Convert" not in sources


def _quantized(output: Any) -> Any:
    followers = [target.get_node() for target in output.get_target_inputs()]
    return next((node.output(0) for node in followers if node.get_type_name() == "FakeQuantize"), output)
