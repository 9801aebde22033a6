"""torchvision's ResNet18 from a file of weights; only callers that can afford importing torch come here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.torchvision_compat import import_torchvision


def load_resnet18(weights: Path) -> Any:
    """A ``torchvision.models.ResNet`` in eval mode and float32, its number of classes taken from the weights.

    Args:
        weights: safetensors file with torchvision's parameter names, in any float type.

    Raises:
        ModelError: the file is missing, damaged, or of another architecture.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(weights)
        network = import_torchvision().models.resnet18(num_classes=state["fc.bias"].numel())
        network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise ModelError(f"{weights.name} does not hold the weights of a torchvision ResNet18.") from error
    return network.eval()
