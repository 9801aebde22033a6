"""How far each layer of an INT8 graph strays from the FP32 original, on given images.

NNCF ranks layers too, in its quantization with accuracy control: it puts groups of quantizers back into floating point,
one after the other, and looks at the network's answers. That is a search, with a compilation and all images for each
group, which begins with a quantization of its own, names nodes of the graph and keeps its scores to itself: it cannot
say why the INT8 model in use errs. Here one look at each image tells it of that very model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ModelError
from core.engines.engine import Stage
from core.engines.openvino import EXACT, shared_core
from core.engines.openvino_layers import Layer, layers_of
from core.engines.openvino_network import only_network

MOST_IMAGES = 64
_BATCH = 4  # the values of all layers for one ResNet18 image take 50 MB

_Values = list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class LayerError:
    """Signal-to-noise ratios of a layer's output in decibel: FP32's values against INT8's difference from them.

    Each 6 dB less are twice the error. None where there is no difference at all.

    Attributes:
        layer: its name for people.
        own: what the layer adds: it is given FP32's values.
        carried: as it comes about, with the errors of all layers before it.
    """

    layer: str
    own: float | None
    carried: float | None


def worst_first(errors: Sequence[LayerError]) -> list[LayerError]:
    """By what each layer adds itself: a layer that only passes on what it was given is not to blame."""
    return sorted(errors, key=lambda error: math.inf if error.own is None else error.own)


def layer_errors(
    fp32: Path,
    int8: Path,
    stages: Sequence[Stage],
    inputs: NDArray[np.uint8],
    on_images: Callable[[int], None] = lambda done: None,
) -> tuple[LayerError, ...]:
    """Compare two graphs of one network layer by layer, in the order of the network.

    Args:
        fp32, int8: IRs of it, as ``core.models.openvino_ir.save_ir`` writes them.
        stages: of its architecture.
        inputs: model inputs uint8 ``[N, H, W, 3]``, N >= 1.
        on_images: told how many images are done.

    Raises:
        ModelError: the graphs are not of one network.
    """
    original, whole, parts = (only_network(shared_core().read_model(str(path))) for path in (fp32, int8, int8))
    layers, others = layers_of(original, stages), layers_of(whole, stages)
    if [layer.name for layer in layers] != [layer.name for layer in others]:
        raise ModelError("The INT8 model has other layers than its FP32 original: make it anew on the Optimize page.")
    reference = _compiled(
        [layer.source for layer in layers] + [layer.output for layer in layers], original.get_parameters()
    )
    carried = _compiled([layer.output for layer in others], whole.get_parameters())
    own = _in_parts(layers_of(parts, stages))
    signal, noise_own, noise_carried = np.zeros((3, len(layers)))
    for start in range(0, len(inputs), _BATCH):
        batch = inputs[start : start + _BATCH]
        values = reference([batch])
        sources, expected = values[: len(layers)], values[len(layers) :]
        signal += _squares(expected)
        noise_own += _squares(_differences(own(sources), expected))
        noise_carried += _squares(_differences(carried([batch]), expected))
        on_images(start + len(batch))
    return tuple(
        LayerError(layer.name, _decibel(total, alone), _decibel(total, all_before))
        for layer, total, alone, all_before in zip(layers, signal, noise_own, noise_carried, strict=True)
    )


def _in_parts(layers: Sequence[Layer]) -> Callable[[_Values], _Values]:
    """A graph cut before each layer, so that every one can be given a value of its own: one for each layer."""
    from openvino import opset13 as ops

    parameters: dict[tuple[str, int], Any] = {}
    given: list[int] = []
    for place, layer in enumerate(layers):
        # Two layers may share what comes before them: the first of a block, and its shortcut.
        key = (layer.entry.get_node().get_friendly_name(), layer.entry.get_index())
        if key not in parameters:
            parameters[key] = ops.parameter(layer.source.get_partial_shape(), np.float32)
            layer.entry.replace_source_output(parameters[key].output(0))
            given.append(place)
    compiled = _compiled([layer.output for layer in layers], list(parameters.values()))
    return lambda values: compiled([values[place] for place in given])


def _compiled(outputs: Sequence[Any], parameters: Sequence[Any]) -> Callable[[Sequence[NDArray[Any]]], _Values]:
    """What of a graph leads from ``parameters`` to ``outputs``, ready to run."""
    import openvino as ov
    from openvino import opset13 as ops

    graph = ov.Model([ops.result(output) for output in outputs], list(parameters))
    model = shared_core().compile_model(graph, "CPU", EXACT)
    request = model.create_infer_request()

    def run(values: Sequence[NDArray[Any]]) -> _Values:
        request.infer(list(values))
        return [request.get_output_tensor(place).data.copy() for place in range(len(outputs))]

    return run


def _differences(found: _Values, expected: _Values) -> _Values:
    return [one - other for one, other in zip(found, expected, strict=True)]


def _squares(values: _Values) -> NDArray[np.float64]:
    return np.array([np.vdot(value, value) for value in values], np.float64)


def _decibel(signal: float, noise: float) -> float | None:
    return None if noise == 0 else 10 * math.log10(max(signal, np.finfo(np.float64).tiny) / noise)
