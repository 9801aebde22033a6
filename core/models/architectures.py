"""The networks a model can have, one description each: a new family is one more entry of ``ARCHITECTURES``.

Importing this is cheap; only ``load_network`` needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ModelError, WeightsInvalid
from core.engines.engine import Stage
from core.models.torchvision_compat import import_torchvision
from core.models.weights import check_resnet18, read_state

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Architecture:
    """One kind of network.

    Attributes:
        name: as in a card's ``network``, and at the beginning of the names of exported files.
        label: for people.
        build: an untrained ``torch.nn.Module`` for a number of classes.
        check: the number of classes of a state dict; raises WeightsInvalid where it is another network's.
        stages: whose outputs engines give on request, first to last.
    """

    name: str
    label: str
    build: Callable[[int], Any]
    check: Callable[[Mapping[str, Tensor]], int]
    stages: tuple[Stage, ...]

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


RESNET18 = Architecture(
    name="resnet18",
    label="torchvision ResNet18",
    build=lambda classes: import_torchvision().models.resnet18(num_classes=classes),
    check=check_resnet18,
    stages=(Stage("layer1", 64), Stage("layer2", 128), Stage("layer3", 256), Stage("layer4", 512)),
)
ARCHITECTURES = {architecture.name: architecture for architecture in (RESNET18,)}


def load_network(architecture: Architecture, weights: Path) -> tuple[Any, int]:
    """The ``torch.nn.Module`` in eval mode and float32, and its number of classes, which the weights tell.

    Args:
        weights: a file ``core.models.weights.read_state`` reads, with torchvision's parameter names, in any float type.

    Raises:
        ModelError: the file is missing, damaged, or of another architecture.
        ImportError: torch or torchvision is not installed.
    """
    try:
        state = read_state(weights, max_bytes=None)
        classes = architecture.check(state)
        network = architecture.build(classes)
    except WeightsInvalid as error:
        raise ModelError(f"{weights.name} does not hold the weights of a {architecture.label}.") from error
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return network.eval(), classes
