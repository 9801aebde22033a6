"""PyTorch FP32 on the CPU: the reference the optimised engines are compared with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import EngineUnavailable
from core.engines.engine import (
    FEATURES,
    LOGITS,
    EngineDescription,
    EngineName,
    ModelFiles,
    check_batch,
    check_outputs,
    map_name,
)


class PyTorchEngine:
    """A network in float32; one forward pass uses all cores, so calls gain nothing side by side."""

    name: EngineName = "pytorch-fp32"
    precision = "FP32"
    parallelism = 1

    def __init__(self, files: ModelFiles) -> None:
        """Raises EngineUnavailable where PyTorch cannot run it or is not installed, ModelError for damaged weights."""
        if missing := _missing(files):
            raise EngineUnavailable(missing)
        try:
            import torch

            network = files.network()
        except ImportError as error:
            raise EngineUnavailable(
                "PyTorch is not installed here, so only OpenVINO can run. Install requirements.txt to compare."
            ) from error
        self.library = f"PyTorch {version('torch')}"
        self.input_shape = files.preprocessing.input_shape
        self._network = network.to(memory_format=torch.channels_last)
        self._maps = [map_name(number) for number in range(1, len(files.stages) + 1)]
        self.outputs: tuple[str, ...] = (LOGITS, FEATURES, *self._maps) if self._maps else (LOGITS,)
        self._seen = _Seen()
        for name, stage in zip(self._maps, files.stages, strict=True):
            network.get_submodule(stage.module).register_forward_hook(self._seen.hook(name))
        self._mean = torch.tensor(files.preprocessing.mean).view(1, 3, 1, 1)
        self._std = torch.tensor(files.preprocessing.std).view(1, 3, 1, 1)
        with torch.inference_mode():
            self.classes: int = self._network(torch.zeros(1, 3, *self.input_shape[:2])).shape[1]

    def infer(self, batch: NDArray[np.uint8], outputs: Sequence[str] = (LOGITS,)) -> Mapping[str, NDArray[np.float32]]:
        """See ``Engine.infer``."""
        import torch

        check_batch(batch, self.input_shape)
        check_outputs(outputs, self)
        wanted = set(self._maps if FEATURES in outputs else outputs)
        # A tensor may be written to; an array that may not gets a copy.
        own = np.require(batch, requirements=("C", "W"))
        with torch.inference_mode(), self._seen.keeping(wanted) as maps:
            inputs = torch.from_numpy(own).permute(0, 3, 1, 2).float().div_(255)
            logits = self._network(inputs.sub_(self._mean).div_(self._std))
            found = {LOGITS: logits, **maps}
            if FEATURES in outputs:
                found[FEATURES] = torch.cat([maps[name].mean(dim=(2, 3)) for name in self._maps], dim=1)
            return {name: np.ascontiguousarray(found[name].numpy()) for name in outputs}


class _Seen(threading.local):
    """What the stages put out in the forward pass of the thread that asks; nothing where nobody does."""

    def __init__(self) -> None:
        self._wanted: Set[str] = frozenset()
        self._maps: dict[str, Any] = {}

    @contextmanager
    def keeping(self, wanted: Set[str]) -> Iterator[dict[str, Any]]:
        """The wanted stages' outputs by name, filled by a forward pass in the block."""
        self._wanted, self._maps = wanted, {}
        try:
            yield self._maps
        finally:
            self._wanted, self._maps = frozenset(), {}

    def hook(self, name: str) -> Callable[..., None]:
        """For a stage's module."""

        def keep(module: Any, inputs: Any, output: Any) -> None:
            if name in self._wanted:
                self._maps[name] = output

        return keep


def _missing(files: ModelFiles) -> str:
    if files.has_network:
        return ""
    return f"{files.title} was imported as a graph, which PyTorch cannot run: compare with OpenVINO FP32 instead."


ENGINES = (
    EngineDescription(
        name=PyTorchEngine.name,
        label="PyTorch FP32",
        library="PyTorch",
        precision="FP32",
        order=30,
        load=PyTorchEngine,
        missing=_missing,
        is_reference=True,
    ),
)
