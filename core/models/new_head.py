"""A file of weights with another last layer: what teaching makes of a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from core.models.weight_files import safetensors
from core.models.weight_files.resnet18 import COUNTER
from core.models.weight_files.tensors import Stored

WEIGHT, BIAS = "fc.weight", "fc.bias"


def write_with_head(
    source: Path,
    target: Path,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    trained: Mapping[str, NDArray[np.float32]] = MappingProxyType({}),
) -> None:
    """Write the weights of ``source`` to the new file ``target``, with another last layer; equal ones give equal bytes.

    Args:
        source: as ``core.models.weights.import_weights`` wrote it.
        target: new.
        weight, bias: of the layer, float32 ``[classes, features]`` and ``[classes]``.
        trained: other parameters, by name, that are not the source's any more.

    Raises:
        OSError: ``source`` cannot be read, or ``target`` not be written.
    """
    head = {**trained, WEIGHT: weight, BIAS: bias}
    own = {name: np.ascontiguousarray(numbers, np.float32) for name, numbers in head.items()}
    with source.open("rb") as file, target.open("xb") as made:
        described = safetensors.describe(file, source.stat().st_size)
        tensors = {name: tensor for name, tensor in described.items() if not name.endswith(COUNTER)}
        for name, numbers in own.items():
            steps = tuple(step // numbers.itemsize for step in numbers.strides)
            tensors[name] = Stored("float32", numbers.shape, 0, steps)
        safetensors.write(made, tensors, lambda name: own[name] if name in own else tensors[name].read(file))
