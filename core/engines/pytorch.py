"""PyTorch FP32 on the CPU: the reference the optimised engines are compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.base.errors import EngineUnavailable
from core.engines.engine import check_batch
from core.images.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from core.models.architectures import load_resnet18
from core.recognition.results import EngineName


class PyTorchEngine:
    """torchvision's ResNet18 in float32; one forward pass uses all cores, so calls gain nothing side by side."""

    name: EngineName = "pytorch-fp32"
    precision = "FP32"
    parallelism = 1

    def __init__(self, weights: Path) -> None:
        try:
            import torch
        except ImportError as error:
            raise EngineUnavailable(
                "PyTorch is not installed here, so only OpenVINO can run. Install requirements.txt to compare."
            ) from error
        self._network = load_resnet18(weights).to(memory_format=torch.channels_last)
        self.classes: int = self._network.fc.out_features
        self._mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        self._std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See ``Engine.infer``."""
        import torch

        check_batch(batch)
        with torch.inference_mode():
            inputs = torch.from_numpy(np.ascontiguousarray(batch)).permute(0, 3, 1, 2).float().div_(255)
            logits: NDArray[np.float32] = self._network(inputs.sub_(self._mean).div_(self._std)).numpy()
        return logits
