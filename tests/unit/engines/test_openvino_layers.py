"""Layers are told by the structure of the graph, and named alike in FP32 and INT8."""

from __future__ import annotations

import pytest

from core.engines.openvino import shared_core
from core.engines.openvino_layers import FIRST, LAST, layers_of
from core.engines.openvino_network import only_network
from core.models.model import Model


def test_every_layer_of_the_int8_graph_has_a_name_of_its_own(starter: Model) -> None:
    layers = layers_of(only_network(shared_core().read_model(str(starter.int8_ir()))), starter.stages)
    names = [layer.name for layer in layers]
    assert len(names) == len(set(names)) == 21, "of ResNet18's table: 17 convolutions, 3 shortcuts, one linear layer"
    assert (names[0], names[-1]) == (FIRST, LAST)
    blocks = [f"stage {stage}, block {block}" for stage in range(1, 5) for block in (1, 2)]
    expected = {f"{block}, convolution {number}" for block in blocks for number in (1, 2)}
    assert set(names[1:-1]) == expected | {f"stage {stage}, block 1, shortcut" for stage in (2, 3, 4)}
    for layer in layers:
        kernel = list(layer.operation.input_value(1).get_partial_shape().to_shape())
        size = {FIRST: 7, LAST: 512}.get(layer.name, 1 if "shortcut" in layer.name else 3)
        assert kernel[-1] == size, layer.name
        assert layer.source.get_node().get_type_name() != "FakeQuantize", layer.name


@pytest.mark.torch
def test_both_graphs_have_the_same_layers(starter: Model) -> None:
    int8, fp32 = (only_network(shared_core().read_model(str(path))) for path in (starter.int8_ir(), starter.fp32_ir()))
    assert [layer.name for layer in layers_of(int8, starter.stages)] == [
        layer.name for layer in layers_of(fp32, starter.stages)
    ]


def test_another_network_has_layers_without_stages(starter: Model) -> None:
    layers = layers_of(only_network(shared_core().read_model(str(starter.int8_ir()))), ())
    assert "stage 0, block 1, convolution 1" in [layer.name for layer in layers]
    assert not any(layer.name.startswith("stage 1") for layer in layers)
