"""torchvision's classifiers by their names, with the weights of a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from core.base.errors import ModelError
from core.models.torchvision_compat import import_torchvision

_WITH_OWN_SIZE = "vit_"  # whose weights fit one size of images


def build_torchvision(weights: Path, name: str, side: int) -> tuple[Any, int]:
    """The ``torch.nn.Module`` in eval mode, and its number of classes, which the weights tell.

    Args:
        weights: a safetensors file that ``core.models.weights.import_weights`` wrote.
        name: as torchvision calls it: ``convnext_tiny``.
        side: of its inputs.

    Raises:
        ModelError: torchvision has no such classifier, or the weights are another's.
    """
    import torch
    from safetensors.torch import load_file

    models = import_torchvision().models
    if name not in models.list_models(module=models):
        raise ModelError(f"torchvision has no classifier {name!r}; write its name as torchvision does: convnext_tiny.")
    options: dict[str, Any] = {"image_size": side} if name.startswith(_WITH_OWN_SIZE) else {}
    state = {key: tensor.float() for key, tensor in load_file(weights).items()}
    empty = _without_numbers(partial(models.get_model, name, weights=None, **options))
    head = [key for key, module in empty.named_modules() if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)][-1]
    if f"{head}.weight" not in state:
        raise ModelError(f"The weights do not fit torchvision's {name}: {head}.weight is missing.")
    classes = len(state[f"{head}.weight"])
    network = _without_numbers(partial(models.get_model, name, weights=None, num_classes=classes, **options))
    # What is not in the file, BatchNorm's counters, counts nothing here.
    state |= {
        key: torch.zeros((), dtype=torch.int64) for key in network.state_dict() if key.endswith("num_batches_tracked")
    }
    try:
        network.load_state_dict(state, assign=True)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"The weights do not fit torchvision's {name}; name the network they are of.") from error
    return network.eval(), classes


def _without_numbers(build: Callable[[], Any]) -> Any:
    """A network whose parameters take no memory and no time; with them where it is built by reckoning in tensors."""
    import torch

    try:
        with torch.device("meta"):
            return build()
    except NotImplementedError:
        return build()
