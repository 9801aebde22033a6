"""What every engine offers and needs; whoever recognises images knows nothing else about one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ModelError
from core.images.preprocessing import Preprocessing

EngineName = str  # as in results, requests and cards: "library-precision"

LOGITS = "logits"
FEATURES = "features"


def map_name(stage: int) -> str:
    """Name of the output that a stage of the network gives, counted from 1."""
    return f"maps.{stage}"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a network: ``module`` is its name in PyTorch, ``channels`` the width of its output."""

    module: str
    channels: int


class Engine(Protocol):
    """A loaded network. Safe to use from many threads at once.

    Attributes:
        name: which engine this is.
        library: what computes, with its version; part of the key of whatever is measured with it.
        precision: the number format its convolutions really run in here, e.g. ``"INT8"`` or ``"FP32"``.
        classes: width of the logits.
        input_shape: of one model input, ``(height, width, 3)``.
        outputs: what ``infer`` can be asked for; ``"logits"`` always.
        parallelism: calls of ``infer`` that run side by side; more of them only wait.
    """

    @property
    def name(self) -> EngineName: ...  # noqa: D102
    @property
    def library(self) -> str: ...  # noqa: D102
    @property
    def precision(self) -> str: ...  # noqa: D102
    @property
    def classes(self) -> int: ...  # noqa: D102
    @property
    def input_shape(self) -> tuple[int, int, int]: ...  # noqa: D102
    @property
    def outputs(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def parallelism(self) -> int: ...  # noqa: D102

    def infer(self, batch: NDArray[np.uint8], outputs: Sequence[str] = (LOGITS,)) -> Mapping[str, NDArray[np.float32]]:
        """The asked outputs, each float32, for model inputs uint8 ``[B, *input_shape]``.

        ========== ============================== ==========================================================
        output     shape                          what it is
        ========== ============================== ==========================================================
        logits     ``[B, classes]``
        features   ``[B, sum of stage channels]`` mean over the area of every stage's output, first stage first
        maps.N     ``[B, channels, rows, cols]``  the output of stage N, from 1
        ========== ============================== ==========================================================

        For ResNet18 at 224 px: features 64 + 128 + 256 + 512 = 960, maps.1 ``[B, 64, 56, 56]`` to maps.4
        ``[B, 512, 7, 7]``. The first call for other outputs may take as long as loading the engine.

        Raises:
            ValueError: ``batch`` has another shape or dtype.
            ModelError: the engine does not give such an output for this model.
        """
        ...


class ModelFiles(Protocol):
    """What a model gives the engines that load it; files are checked against the model's card when asked for.

    Attributes:
        title: for people.
        preprocessing: how the model's inputs are made.
        stages: of its network, in order; empty where only logits are known.
        has_network: whether ``network`` can be had.
        has_int8: whether ``int8_ir`` can be had.
        has_fp32: whether ``fp32_ir`` was made before.
    """

    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def preprocessing(self) -> Preprocessing: ...  # noqa: D102
    @property
    def stages(self) -> tuple[Stage, ...]: ...  # noqa: D102
    @property
    def has_network(self) -> bool: ...  # noqa: D102
    @property
    def has_int8(self) -> bool: ...  # noqa: D102
    @property
    def has_fp32(self) -> bool: ...  # noqa: D102

    def network(self) -> Any:
        """The ``torch.nn.Module`` with the model's weights in float32, in eval mode; imports torch.

        Raises:
            ModelError: the weights are missing or damaged.
            ImportError: torch or torchvision is not installed.
        """
        ...

    def int8_ir(self) -> Path:
        """OpenVINO's INT8 IR: uint8 ``[B, *input_shape]`` in.

        Raises:
            ModelError: missing or damaged.
        """
        ...

    def fp32_ir(self) -> Path:
        """OpenVINO's FP32 IR, made from the weights the first time, which takes seconds.

        Raises:
            ModelError: the weights are missing or damaged.
        """
        ...

    def cache_folder(self, kind: str, packages: Sequence[str]) -> Path:
        """Where an engine may keep what it derives from the model's files.

        Another one whenever the files, or the versions of the Python ``packages``, change.
        """
        ...


@dataclass(frozen=True, slots=True)
class EngineDescription:
    """An engine before it is loaded. Every module of this package registers its own as ``ENGINES``.

    Attributes:
        name: lower case, the library first.
        label: for people.
        library, precision: short words for people.
        order: where lists show it; the smallest first.
        load: makes the engine for a model. Imports its library, and raises ModelError or EngineUnavailable.
        missing: a sentence saying what a model lacks to be run, empty where it can be; loads nothing.
        is_heavy: whether loading it for a model takes a process and a gigabyte, so that it waits for a heavy turn.
        is_default: people and programs that say nothing get this one; exactly one is.
        is_reference: the one the others are compared with; exactly one is.
    """

    name: EngineName
    label: str
    library: str
    precision: str
    order: int
    load: Callable[[ModelFiles], Engine]
    missing: Callable[[ModelFiles], str] = lambda files: ""
    is_heavy: Callable[[ModelFiles], bool] = lambda files: False
    is_default: bool = False
    is_reference: bool = False


def check_batch(batch: NDArray[np.uint8], input_shape: tuple[int, int, int]) -> None:
    """Raise ValueError unless ``batch`` is uint8 ``[B >= 1, *input_shape]``."""
    if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != input_shape or not len(batch):
        wanted = ", ".join(map(str, input_shape))
        raise ValueError(f"expected uint8 [B, {wanted}], got {batch.dtype} {batch.shape}")


def check_outputs(asked: Sequence[str], engine: Engine) -> None:
    """Raise ModelError for an output the engine does not give."""
    for output in asked:
        if output not in engine.outputs:
            raise ModelError(
                f"{engine.name} has no output {output!r} for this model; it has {', '.join(engine.outputs)}."
            )
