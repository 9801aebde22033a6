"""A layer that was damaged on purpose shows; one that is as exact as FP32 does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.base.errors import ModelError
from core.engines.openvino import shared_core
from core.engines.openvino_layers import FIRST, LAST, Layer, layers_of
from core.engines.openvino_network import only_network
from core.models.model import Model
from core.optimize.layer_errors import LayerError, layer_errors, worst_first

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (5, 7, 7, 3), dtype=np.uint8)
    return coarse.repeat(32, axis=1).repeat(32, axis=2)


@pytest.fixture(scope="module")
def sound(starter: Model, inputs: np.ndarray) -> tuple[LayerError, ...]:
    return layer_errors(starter.fp32_ir(), starter.int8_ir(), starter.stages, inputs)


def changed(node: Any, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Another constant instead of this one."""
    from openvino import opset13 as ops

    values = node.data
    node.output(0).replace(ops.constant(change(values).astype(values.dtype), node.get_element_type()).output(0))


def weights_of_some_channels_lost(layer: Layer) -> None:
    """One filter in two is 0."""
    node = layer.operation.input_value(1).get_node()
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    changed(node, lambda weights: weights * (np.arange(len(weights)) % 2).reshape(-1, *[1] * (weights.ndim - 1)))


def input_cut(layer: Layer) -> None:
    """The largest values that come in are cut at a tenth of what they were calibrated for."""
    node = layer.operation.input_value(0).get_node()
    while node.get_type_name() != "FakeQuantize":
        node = node.input_value(0).get_node()
    for place in range(1, 5):
        changed(node.input_value(place).get_node(), lambda bound: bound * 0.1)


def damaged(model: Model, name: str, damage: Callable[[Layer], None], path: Path) -> Path:
    """An INT8 graph of which one layer computes something else; nothing else is touched."""
    import openvino as ov

    graph = only_network(shared_core().read_model(str(model.int8_ir())))
    ov_graph: Any = graph.clone()
    damage(next(layer for layer in layers_of(ov_graph, model.stages) if layer.name == name))
    ov.save_model(ov_graph, str(path), compress_to_fp16=False)
    return path


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (FIRST, weights_of_some_channels_lost),
        ("stage 2, block 2, convolution 1", input_cut),
        ("stage 3, block 1, shortcut", weights_of_some_channels_lost),
        ("stage 3, block 1, shortcut", input_cut),
        (LAST, input_cut),
    ],
)
def test_a_layer_that_was_damaged_is_among_the_first_three(
    name: str,
    damage: Callable[[Layer], None],
    starter: Model,
    inputs: np.ndarray,
    sound: tuple[LayerError, ...],
    tmp_path: Path,
) -> None:
    int8 = damaged(starter, name, damage, tmp_path / "damaged.xml")
    found = layer_errors(starter.fp32_ir(), int8, starter.stages, inputs)
    assert name in [error.layer for error in worst_first(found)[:3]]
    before, after = ({error.layer: error for error in errors} for errors in (sound, found))
    worse = {layer for layer in before if (after[layer].own or 0) < (before[layer].own or 0) - 1}
    # What comes in is quantized once for all that takes it: the first convolution of a block beside its shortcut.
    assert worse - {name} <= {name.replace("shortcut", "convolution 1")}, "others are not blamed for it"
    assert (after[LAST].carried or 0) < (before[LAST].carried or 0), "but pass it on"


def test_a_graph_beside_itself_has_no_errors(starter: Model, inputs: np.ndarray) -> None:
    fp32 = starter.fp32_ir()
    told: list[int] = []
    found = layer_errors(fp32, fp32, starter.stages, inputs, told.append)
    assert told == [4, 5]
    assert all((error.own is None or error.own > 90) and (error.carried or 99) > 90 for error in found)


def test_int8_errs_everywhere_and_worst_comes_first(sound: tuple[LayerError, ...]) -> None:
    assert all(error.own is not None and 0 < error.own < 60 for error in sound)
    assert sound[0].own == sound[0].carried, "nothing comes before the first layer"
    ordered = [error.own for error in worst_first([LayerError("exact", None, 20.0), *sound])]
    assert ordered[-1] is None
    assert ordered[:-1] == sorted(error.own or 0 for error in sound)


def test_graphs_of_other_networks_are_refused(starter: Model, inputs: np.ndarray, tmp_path: Path) -> None:
    import openvino as ov

    graph = only_network(shared_core().read_model(str(starter.fp32_ir())))
    layers = layers_of(graph, starter.stages)
    cut = ov.Model([layers[-2].output], graph.get_parameters())
    ov.save_model(cut, str(tmp_path / "cut.xml"))
    with pytest.raises(ModelError, match="other layers"):
        layer_errors(starter.fp32_ir(), tmp_path / "cut.xml", starter.stages, inputs)
