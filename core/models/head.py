"""The last layer of a model, read from its weights without PyTorch: what maps and logits are held together by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import MapsUnavailable, ModelError
from core.models.card import WEIGHTS_NAME, check_file
from core.models.model import Model
from core.models.new_head import BIAS, WEIGHT
from core.models.weight_files import safetensors
from core.models.weight_files.tensors import BadFile


@dataclass(frozen=True, slots=True)
class LinearHead:
    """A linear layer over pooled features: float32 ``weight`` ``[classes, features]`` and ``bias`` ``[classes]``."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def read_head(model: Model) -> LinearHead:
    """The last layer of ``model``, as its file of weights has it: in floating point, also where INT8 rounds it.

    Raises:
        MapsUnavailable: it has no such layer.
        ModelError: the weights are missing or damaged.
    """
    if WEIGHTS_NAME not in model.card.checksums:
        raise MapsUnavailable("Where it looked cannot be shown: this model's network does not end in one linear layer.")
    path = check_file(model.folder / WEIGHTS_NAME, model.card)
    try:
        with path.open("rb") as file:
            tensors = safetensors.describe(file, path.stat().st_size)
            return LinearHead(*(_float32(tensors[name].read(file)) for name in (WEIGHT, BIAS)))
    except (BadFile, KeyError, OSError) as error:
        raise ModelError(f"The weights of the model {model.card.name} cannot be read; install it again.") from error


def _float32(numbers: NDArray[Any]) -> NDArray[np.float32]:
    if numbers.dtype == np.uint16:  # bfloat16: the upper half of a float32
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(np.float32)
