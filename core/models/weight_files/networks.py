"""The networks whose weights can be read: by name, what tells the number of classes or refuses other weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.base.errors import WeightsInvalid
from core.models.weight_files.resnet18 import check_resnet18, check_staged_resnet18
from core.models.weight_files.tensors import FLOATS, Described


def check_any(state: Mapping[str, Described]) -> int:
    """Weights of a network that is named later, which then tells whether they fit; 0 classes.

    Raises:
        WeightsInvalid: something is no floating-point number.
    """
    for name, tensor in state.items():
        if tensor.dtype not in FLOATS:
            raise WeightsInvalid(
                f"{name} holds no plain floating-point numbers ({tensor.dtype}); save the weights alone."
            )
    return 0


CHECKS: dict[str, Callable[[Mapping[str, Described]], int]] = {
    "resnet18": check_resnet18,
    "resnet18-stages": check_staged_resnet18,
    "any": check_any,
}
