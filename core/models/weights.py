"""A person's own weights: read without running anything in them, and checked against torchvision's ResNet18.

Only callers that can afford importing torch come here.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import WeightsInvalid
from core.base.settings import MAX_WEIGHTS_BYTES, MIB
from core.models.torchvision_compat import import_torchvision

if TYPE_CHECKING:
    from torch import Tensor

# What training scripts put around a state dict, and wrappers (DataParallel, Lightning, torch.compile) before its names.
_WRAPPINGS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "model.", "_orig_mod.")
_MOST_WRAPPINGS = 3  # inside each other; a made-up file may hold itself
_COUNTER = ".num_batches_tracked"  # of BatchNorm: used in training only, and often left out

# (basic or bottleneck blocks, blocks in each layer): torchvision/models/resnet.py
_ARCHITECTURES: dict[tuple[str | int, ...], str] = {
    ("basic", 2, 2, 2, 2): "ResNet18",
    ("basic", 3, 4, 6, 3): "ResNet34",
    ("bottleneck", 3, 4, 6, 3): "ResNet50",
    ("bottleneck", 3, 4, 23, 3): "ResNet101",
    ("bottleneck", 3, 8, 36, 3): "ResNet152",
}
_NAMES_SHOWN, _LENGTH_SHOWN = 3, 60  # in a message


def read_state(path: Path, *, max_bytes: int | None = MAX_WEIGHTS_BYTES) -> dict[str, Tensor]:
    """The tensors of a file of weights by name, without wrappings, common prefixes and BatchNorm's batch counters.

    Args:
        path: ``.safetensors``, or ``.pth`` / ``.pt`` as ``torch.save(model.state_dict(), path)`` writes it.
        max_bytes: largest size of the file, and of what is in it; None for a file that is trusted.

    Raises:
        WeightsInvalid: too large, damaged, of another kind, or holding anything but tensors.
    """
    readers = {".safetensors": _read_safetensors, ".pth": _read_pickle, ".pt": _read_pickle}
    if (reader := readers.get(path.suffix.lower())) is None:
        raise WeightsInvalid(f"{path.name} is no file of weights; choose a .safetensors, .pth or .pt file.")
    try:
        _check_bytes(path, path.stat().st_size, max_bytes)
    except OSError as error:
        raise WeightsInvalid(f"{path.name} cannot be read; choose it again.") from error
    state = _without_prefixes(_unwrapped(path, reader(path, max_bytes)))
    # Tensors may claim more than the file holds: one number can be seen as a million by a stride of 0.
    _check_bytes(path, sum(tensor.numel() * tensor.itemsize for tensor in state.values()), max_bytes)
    return {name: tensor for name, tensor in state.items() if not name.endswith(_COUNTER)}


def check_resnet18(state: Mapping[str, Tensor]) -> int:
    """The number of classes of a torchvision ResNet18's state dict.

    Raises:
        WeightsInvalid: other names or shapes, fewer than two classes, no floating-point numbers, or NaN or infinity.
    """
    import torch

    plain_types = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    with torch.device("meta"):  # shapes without memory
        reference = import_torchvision().models.resnet18().state_dict()
    expected = {name: tuple(tensor.shape) for name, tensor in reference.items() if not name.endswith(_COUNTER)}
    given = {name: tensor for name, tensor in state.items() if not name.endswith(_COUNTER)}
    _check_names(expected, given)

    bias_shape = tuple(given["fc.bias"].shape)
    classes = bias_shape[0] if len(bias_shape) == 1 else 0
    if classes < 2:
        raise WeightsInvalid(f"fc.bias is {_shown_shape(bias_shape)}; a classifier needs one number for each class.")
    expected |= {"fc.weight": (classes, *expected["fc.weight"][1:]), "fc.bias": (classes,)}
    for name, shape in expected.items():
        tensor = given[name]
        if tuple(tensor.shape) != shape:
            raise WeightsInvalid(
                f"{name} is {_shown_shape(tensor.shape)} and must be {_shown_shape(shape)}; "
                f"{_likely(given)}, and only a standard ResNet18 for RGB images can be used."
            )
        if tensor.dtype not in plain_types or tensor.layout != torch.strided or tensor.device.type != "cpu":
            raise WeightsInvalid(
                f"{name} holds no plain floating-point numbers ({str(tensor.dtype).removeprefix('torch.')}); "
                "save the weights before they are quantized."
            )
        low, high = tensor.float().aminmax()  # NaN is passed on to both
        if not (low.isfinite() and high.isfinite()):
            raise WeightsInvalid(
                f"{name} holds NaN or infinity, so the training went wrong; use an earlier checkpoint."
            )
    return classes


def save_weights(state: Mapping[str, Tensor], path: Path) -> None:
    """Write a state dict to ``path`` as safetensors, in one step; equal states give equal bytes."""
    import torch
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as draft:
        save_file(tensors, Path(draft) / path.name)
        (Path(draft) / path.name).replace(path)


def _read_safetensors(path: Path, max_bytes: int | None) -> object:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # SafetensorError, and whatever its Python side makes of an unknown type
        raise WeightsInvalid(f"{path.name} is damaged or no safetensors file; save or copy it again.") from error


def _read_pickle(path: Path, max_bytes: int | None) -> object:
    import torch

    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                _check_bytes(path, sum(member.file_size for member in archive.infolist()), max_bytes)
        return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsInvalid:
        raise
    except Exception as error:  # made-up files make the reader fail in any way there is
        raise WeightsInvalid(
            f"{path.name} is damaged or holds more than weights, which is never run; "
            "save it with torch.save(model.state_dict(), 'weights.pth'), or as safetensors."
        ) from error


def _check_bytes(path: Path, size: int, max_bytes: int | None) -> None:
    if max_bytes is not None and size > max_bytes:
        raise WeightsInvalid(
            f"{path.name} holds more than {max_bytes / MIB:,.1f} MiB; a ResNet18 has 45 MiB, "
            "so save the weights alone, without the optimizer's state."
        )


def _unwrapped(path: Path, content: object) -> dict[str, Tensor]:
    from torch import Tensor

    for _ in range(_MOST_WRAPPINGS):
        if isinstance(content, Mapping):
            content = next((content[key] for key in _WRAPPINGS if isinstance(content.get(key), Mapping)), content)
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items())
    ):
        raise WeightsInvalid(
            f"{path.name} holds no state dict; save it with torch.save(model.state_dict(), 'weights.pth')."
        )
    return dict(content)


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for _ in range(_MOST_WRAPPINGS):
        for prefix in _PREFIXES:
            if all(name.startswith(prefix) for name in state):
                state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _check_names(expected: Iterable[str], given: Mapping[str, Tensor]) -> None:
    missing = [name for name in expected if name not in given]
    unknown = [name for name in given if name not in expected]
    if missing or unknown:
        listed = "; ".join(
            f"{len(names)} {what}: {', '.join(name[:_LENGTH_SHOWN] for name in names[:_NAMES_SHOWN])}"
            + (", ..." if len(names) > _NAMES_SHOWN else "")
            for what, names in (("missing", missing), ("unknown", unknown))
            if names
        )
        raise WeightsInvalid(
            f"The weights do not fit torchvision's ResNet18; {_likely(given)} ({listed}). "
            "Choose those of a ResNet18 whose last layer is one Linear named fc."
        )


def _likely(state: Mapping[str, Tensor]) -> str:
    """Which network it seems to be, told by the blocks of its four layers."""
    blocks = {found.groups() for name in state if (found := re.match(r"layer([1-4])\.(\d+)\.", name))}
    counts = Counter(layer for layer, _ in blocks)
    kind = "bottleneck" if "layer1.0.conv3.weight" in state else "basic"
    name = _ARCHITECTURES.get((kind, *(counts[layer] for layer in "1234")))
    return f"they look like a {name}" if name else "they look like another kind of network"


def _shown_shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
