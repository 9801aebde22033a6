"""The networks a model can have, one description each: a new family is one more entry of ``ARCHITECTURES``.

Importing this is cheap; only ``load_network`` needs torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.base.errors import ModelError, WeightsInvalid
from core.engines.engine import Stage
from core.models.staged_resnet18 import WIDTHS, build_staged_resnet18
from core.models.torchvision_compat import import_torchvision
from core.models.weights import load_weights


@dataclass(frozen=True, slots=True)
class Architecture:
    """One kind of network.

    Attributes:
        name: as in a card's ``network`` and in ``weight_files.networks.CHECKS``; names of exported files begin with it.
        label: for people.
        build: an untrained ``torch.nn.Module`` for a number of classes; None where it is a graph, see ``graph_files``.
        stages: whose outputs engines give on request, first to last.
        float_layers: kinds of layers, by OpenVINO's names, that stay in floating point where the rest becomes INT8.
    """

    name: str
    label: str
    build: Callable[[int], Any] | None
    stages: tuple[Stage, ...]
    float_layers: tuple[str, ...] = ()

    @property
    def features(self) -> int:
        """Width of the pooled outputs of all stages."""
        return sum(stage.channels for stage in self.stages)

    @property
    def onnx_name(self) -> str:
        """Name of the ONNX file."""
        return f"{self.name}.onnx"

    @property
    def fp32_name(self) -> str:
        """Name of the FP32 IR's graph; its weights are beside it, ending in ``.bin``."""
        return f"{self.name}-fp32.xml"

    @property
    def int8_name(self) -> str:
        """Name of the INT8 IR's graph; its weights are beside it, ending in ``.bin``."""
        return f"{self.name}-int8.xml"


_RESNET18_STAGES = tuple(Stage(f"layer{number}", width) for number, width in enumerate(WIDTHS, 1))
RESNET18 = Architecture(
    name="resnet18",
    label="torchvision ResNet18",
    build=lambda classes: import_torchvision().models.resnet18(num_classes=classes),
    stages=_RESNET18_STAGES,
)
STAGED_RESNET18 = Architecture(
    name="resnet18-stages",
    label="ResNet18 with a head over its four stages",
    build=build_staged_resnet18,
    stages=_RESNET18_STAGES,
    # One scale for features of four stages would lose the small ones, which the head's weights make large.
    float_layers=("MatMul",),
)
GRAPH = Architecture(name="graph", label="imported network", build=None, stages=())
ARCHITECTURES = {architecture.name: architecture for architecture in (RESNET18, STAGED_RESNET18, GRAPH)}


def load_network(architecture: Architecture, weights: Path) -> tuple[Any, int]:
    """The ``torch.nn.Module`` in eval mode and float32, and its number of classes, which the weights tell.

    Args:
        weights: a file ``core.models.weights.import_weights`` wrote, in any float type.

    Raises:
        ModelError: the file is missing, damaged, or of another architecture.
        ImportError: torch or torchvision is not installed.
    """
    try:
        state, classes = load_weights(weights, architecture.name)
    except WeightsInvalid as error:
        raise ModelError(f"{weights.name} does not hold the weights of a {architecture.label}.") from error
    assert architecture.build is not None  # noqa: S101 - graphs have no weights of this kind
    network = architecture.build(classes)
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return network.eval(), classes
