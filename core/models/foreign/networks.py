"""Classifiers by the names that torchvision and timm give them, with the weights of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.base.errors import ModelError
from core.models.torchvision_compat import import_torchvision

_WITH_OWN_SIZE = "vit_"  # whose weights fit one size of images


@dataclass(frozen=True, slots=True)
class Built:
    """A ``torch.nn.Module`` in eval mode, its number of classes, and whose architecture it is."""

    network: Any
    classes: int
    library: str


class _DoesNotFit(Exception):
    """The weights are of another network; says of which library, and what is missing."""


def build_network(weights: Path, name: str, side: int) -> Built:
    """The network of this name with these weights: torchvision's, or timm's where that is installed and they fit it.

    Args:
        weights: a safetensors file that ``core.models.weights.import_weights`` wrote.
        name: as its library calls it: ``convnext_tiny``, ``vit_tiny_patch16_224``.
        side: of its inputs.

    Raises:
        ModelError: neither has such a classifier, or the weights are another's.
    """
    from safetensors.torch import load_file

    state = {key: tensor.float() for key, tensor in load_file(weights).items()}
    reasons = []
    known = False
    for library, build in _libraries(name, side).items():
        known = True
        try:
            network, classes = _with_weights(build, state)
        except _DoesNotFit as error:
            reasons.append(f"{library}'s {name}{error}")
        else:
            return Built(network, classes, library)
    if not known:
        also = "" if find_spec("timm") else " Where timm is installed (pip install timm), its names are known too."
        raise ModelError(
            f"torchvision has no classifier {name!r}; write its name as torchvision does: convnext_tiny.{also}"
        )
    raise ModelError(f"The weights do not fit {' nor '.join(reasons)}; name the network they are of.")


def _libraries(name: str, side: int) -> dict[str, Callable[[int | None], tuple[Any, str]]]:
    """What builds the network of this name for a number of classes, None for its own, and names its last layer."""
    found: dict[str, Callable[[int | None], tuple[Any, str]]] = {}
    models = import_torchvision().models
    if name in models.list_models(module=models):
        found["torchvision"] = partial(_torchvision, name, side)
    if find_spec("timm") is not None and _timm_library().is_model(name):
        found["timm"] = partial(_timm, name)
    return found


def _torchvision(name: str, side: int, classes: int | None) -> tuple[Any, str]:
    import torch

    options: dict[str, Any] = {"image_size": side} if name.startswith(_WITH_OWN_SIZE) else {}
    options |= {} if classes is None else {"num_classes": classes}
    network = import_torchvision().models.get_model(name, weights=None, **options)
    linear = [key for key, module in network.named_modules() if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)]
    return network, linear[-1]


def _timm(name: str, classes: int | None) -> tuple[Any, str]:
    options = {} if classes is None else {"num_classes": classes}
    network = _timm_library().create_model(name, pretrained=False, **options)
    last = network.pretrained_cfg.get("classifier", "")
    return network, last if isinstance(last, str) else ""


def _timm_library() -> Any:
    """timm is no requirement: a network of it is built where a person has installed it."""
    import_torchvision()  # first, in the way that works here
    return import_module("timm")


def _with_weights(build: Callable[[int | None], tuple[Any, str]], state: Mapping[str, Any]) -> tuple[Any, int]:
    import torch

    _, last = _without_numbers(partial(build, None))
    if f"{last}.weight" not in state:
        raise _DoesNotFit(f" ({last}.weight is missing)")
    classes = len(state[f"{last}.weight"])
    network, _ = _without_numbers(partial(build, classes))
    # What is not in the file, BatchNorm's counters, counts nothing here.
    counters = {
        key: torch.zeros((), dtype=torch.int64) for key in network.state_dict() if key.endswith("num_batches_tracked")
    }
    try:
        network.load_state_dict({**state, **counters}, assign=True)
    except (RuntimeError, ValueError) as error:
        raise _DoesNotFit("") from error
    return network.eval(), classes


def _without_numbers(build: Callable[[], tuple[Any, str]]) -> tuple[Any, str]:
    """A network whose parameters take no memory and no time; with them where it is built by reckoning in tensors."""
    import torch

    try:
        with torch.device("meta"):
            return build()
    except (NotImplementedError, RuntimeError):
        return build()
