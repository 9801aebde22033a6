"""The networks whose weights can be read: by name, what tells the number of classes or refuses other weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.models.weight_files.resnet18 import check_resnet18, check_staged_resnet18
from core.models.weight_files.tensors import Described

CHECKS: dict[str, Callable[[Mapping[str, Described]], int]] = {
    "resnet18": check_resnet18,
    "resnet18-stages": check_staged_resnet18,
}
