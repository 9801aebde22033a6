"""What every engine offers; whoever recognises images knows nothing else about one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.base.settings import MODEL_INPUT_SIDE
from core.recognition.results import EngineName


class Engine(Protocol):
    """A loaded network. Safe to use from many threads at once.

    Attributes:
        name: which engine this is.
        precision: the number format its convolutions really run in here, e.g. ``"INT8"`` or ``"FP32"``.
        classes: width of the output.
        parallelism: calls of ``infer`` that run side by side; more of them only wait.
    """

    @property
    def name(self) -> EngineName: ...  # noqa: D102
    @property
    def precision(self) -> str: ...  # noqa: D102
    @property
    def classes(self) -> int: ...  # noqa: D102
    @property
    def parallelism(self) -> int: ...  # noqa: D102

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits float32 ``[B, classes]`` for model inputs uint8 ``[B, 224, 224, 3]`` (RGB).

        Raises:
            ValueError: ``batch`` has another shape or dtype.
        """
        ...


def check_batch(batch: NDArray[np.uint8]) -> None:
    """Raise ValueError unless ``batch`` is uint8 ``[B >= 1, 224, 224, 3]``."""
    expected = (MODEL_INPUT_SIDE, MODEL_INPUT_SIDE, 3)
    if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != expected or not len(batch):
        raise ValueError(
            f"expected uint8 [B, {MODEL_INPUT_SIDE}, {MODEL_INPUT_SIDE}, 3], got {batch.dtype} {batch.shape}"
        )
