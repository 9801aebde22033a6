"""The names and shapes of torchvision's ResNet18, and what else a state dict may be instead."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from core.base.errors import WeightsInvalid
from core.models.weight_files.tensors import FLOATS, Described, printable

COUNTER = ".num_batches_tracked"  # of BatchNorm: used in training only, and often left out

# (basic or bottleneck blocks, blocks in each layer): torchvision/models/resnet.py
_ARCHITECTURES: dict[tuple[str | int, ...], str] = {
    ("basic", 2, 2, 2, 2): "ResNet18",
    ("basic", 3, 4, 6, 3): "ResNet34",
    ("bottleneck", 3, 4, 6, 3): "ResNet50",
    ("bottleneck", 3, 4, 23, 3): "ResNet101",
    ("bottleneck", 3, 8, 36, 3): "ResNet152",
}
_NAMES_SHOWN = 3  # in a message
_FEATURES = 512
_STAGED_FEATURES = 64 + 128 + 256 + 512


def resnet18_shapes(classes: int, features: int = _FEATURES) -> dict[str, tuple[int, ...]]:
    """Every tensor of torchvision's ResNet18 but the batch counters: He et al., 2015, table 1, with its names.

    ``features`` is what the last layer takes.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, normalisation: str, outputs: int, inputs: int, side: int) -> None:
        shapes[f"{name}.weight"] = (outputs, inputs, side, side)
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{normalisation}.{part}"] = (outputs,)

    convolution("conv1", "bn1", 64, 3, 7)
    inputs = 64
    for layer, width in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            name = f"layer{layer}.{block}"
            convolution(f"{name}.conv1", f"{name}.bn1", width, inputs, 3)
            convolution(f"{name}.conv2", f"{name}.bn2", width, width, 3)
            if inputs != width:
                convolution(f"{name}.downsample.0", f"{name}.downsample.1", width, inputs, 1)
            inputs = width
    return shapes | {"fc.weight": (classes, features), "fc.bias": (classes,)}


def check_staged_resnet18(state: Mapping[str, Described]) -> int:
    """As ``check_resnet18``, for one whose last layer takes the pooled outputs of all four stages."""
    return check_resnet18(state, _STAGED_FEATURES)


def check_resnet18(state: Mapping[str, Described], features: int = _FEATURES) -> int:
    """The number of classes of a torchvision ResNet18's state dict; batch counters in it are passed over.

    Raises:
        WeightsInvalid: other names or shapes, fewer than two classes, or no floating-point numbers.
    """
    given = {name: tensor for name, tensor in state.items() if not name.endswith(COUNTER)}
    _check_names(resnet18_shapes(0), given)
    bias_shape = given["fc.bias"].shape
    classes = bias_shape[0] if len(bias_shape) == 1 else 0
    if classes < 2:
        raise WeightsInvalid(f"fc.bias is {_shown_shape(bias_shape)}; a classifier needs one number for each class.")
    for name, shape in resnet18_shapes(classes, features).items():
        tensor = given[name]
        if tensor.shape != shape:
            raise WeightsInvalid(
                f"{name} is {_shown_shape(tensor.shape)} and must be {_shown_shape(shape)}; "
                f"{_likely(given)}, and only a standard ResNet18 for RGB images can be used."
            )
        if tensor.dtype not in FLOATS:
            raise WeightsInvalid(
                f"{name} holds no plain floating-point numbers ({tensor.dtype}); "
                "save the weights before they are quantized."
            )
    return classes


def _check_names(expected: Iterable[str], given: Mapping[str, Described]) -> None:
    missing = [name for name in expected if name not in given]
    known = set(expected)
    unknown = [name for name in given if name not in known]
    if missing or unknown:
        listed = "; ".join(
            f"{len(names)} {what}: {', '.join(printable(name) for name in names[:_NAMES_SHOWN])}"
            + (", ..." if len(names) > _NAMES_SHOWN else "")
            for what, names in (("missing", missing), ("unknown", unknown))
            if names
        )
        raise WeightsInvalid(
            f"The weights do not fit torchvision's ResNet18; {_likely(given)} ({listed}). "
            "Choose those of a ResNet18 whose last layer is one Linear named fc."
        )


def _likely(state: Mapping[str, Described]) -> str:
    """Which network it seems to be, told by the blocks of its four layers."""
    blocks = {found.groups() for name in state if (found := re.match(r"layer([1-4])\.(\d+)\.", name))}
    counts = Counter(layer for layer, _ in blocks)
    kind = "bottleneck" if "layer1.0.conv3.weight" in state else "basic"
    name = _ARCHITECTURES.get((kind, *(counts[layer] for layer in "1234")))
    return f"they look like a {name}" if name else "they look like another kind of network"


def _shown_shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
