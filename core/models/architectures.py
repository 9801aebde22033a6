"""torchvision's ResNet18 from a file of weights; only callers that can afford importing torch come here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.base.errors import ModelError, WeightsInvalid
from core.models.torchvision_compat import import_torchvision
from core.models.weights import load_weights


def load_resnet18(weights: Path) -> Any:
    """A ``torchvision.models.ResNet`` in eval mode and float32, its number of classes taken from the weights.

    Args:
        weights: a file ``core.models.weights.import_weights`` wrote, in any float type.

    Raises:
        ModelError: the file is missing, damaged, or of another architecture.
    """
    try:
        state, classes = load_weights(weights)
    except WeightsInvalid as error:
        raise ModelError(f"{weights.name} does not hold the weights of a torchvision ResNet18.") from error
    network = import_torchvision().models.resnet18(num_classes=classes)
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return network.eval()
