"""Import torchvision also where its compiled operators cannot load.

Where pip supplies a CPU build of torch and only a CUDA build of torchvision, ``import torchvision`` fails:
its Python code registers fake kernels for ``torchvision::nms`` and friends, whose schemas only the missing
shared library would define. None of those operators is used here, so declaring the schemas is enough.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

_SCHEMAS = (
    ("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"),
    ("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"),
)


def import_torchvision() -> ModuleType:
    """Return ``torchvision``, imported normally where that works.

    Raises:
        ImportError: torchvision (or torch) is not installed.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError:
        import torch

        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name, schema in _SCHEMAS:
            torch.library.define(name, schema)
        return importlib.import_module("torchvision")
