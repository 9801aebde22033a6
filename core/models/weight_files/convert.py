"""One stranger's file of weights into one of ours: described, checked, and only then read, a tensor at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from core.base.errors import WeightsInvalid
from core.models.weight_files import safetensors, torch_files
from core.models.weight_files.networks import CHECKS
from core.models.weight_files.resnet18 import COUNTER
from core.models.weight_files.tensors import MAX_NAME, MAX_TENSORS, MIB, BadFile, Stored, is_finite

_PREFIXES = ("module.", "model.", "_orig_mod.")  # of wrappers: DataParallel, Lightning, torch.compile
_MOST_PREFIXES = 3  # in front of each other
_READERS = {".safetensors": safetensors.describe, ".pth": torch_files.describe, ".pt": torch_files.describe}


def convert_weights(source: Path, target: Path, network: str, max_bytes: int) -> None:
    """Write the weights in ``source`` as safetensors to ``target``, with torchvision's names.

    It takes little more memory than the largest tensor, whatever is in the file.

    Args:
        source: ``.safetensors``, or ``.pth`` / ``.pt`` as ``torch.save`` writes them.
        target: a new file; what is in it after an error is worth nothing.
        network: a name of ``networks.CHECKS``.
        max_bytes: largest size of ``source``, and of the numbers in it.

    Raises:
        WeightsInvalid: too large, damaged, of another kind, of another network, or with NaN or infinity.
        OSError: ``target`` cannot be written.
    """
    if (describe := _READERS.get(source.suffix.lower())) is None:
        raise WeightsInvalid(f"{source.name} is no file of weights; choose a .safetensors, .pth or .pt file.")
    try:
        file = source.open("rb")
    except OSError as error:
        raise WeightsInvalid(f"{source.name} cannot be read; choose it again.") from error
    with file:
        try:
            size = source.stat().st_size
            _check_bytes(size, max_bytes)
            state = _own_names(describe(file, size))
            _check_bytes(sum(tensor.nbytes for tensor in state.values()), max_bytes)
            CHECKS[network](state)
            with target.open("xb") as made:
                safetensors.write(made, state, lambda name: _numbers(name, state[name], file))
        except BadFile as error:
            raise WeightsInvalid(f"{source.name} {error}.") from error


def _own_names(state: dict[str, Stored]) -> dict[str, Stored]:
    """Without common prefixes and batch counters."""
    if not state:
        raise BadFile("holds no tensors; save it with torch.save(model.state_dict(), 'weights.pth')")
    if len(state) > MAX_TENSORS or any(len(name) > MAX_NAME for name in state):
        raise BadFile(f"names {len(state):,} tensors where a ResNet18 has 122; save the weights alone")
    for _ in range(_MOST_PREFIXES):
        for prefix in _PREFIXES:
            if all(name.startswith(prefix) for name in state):
                state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return {name: tensor for name, tensor in state.items() if not name.endswith(COUNTER)}


def _numbers(name: str, tensor: Stored, file: BinaryIO) -> NDArray[Any]:
    numbers = tensor.read(file)
    if not is_finite(numbers):
        raise WeightsInvalid(f"{name} holds NaN or infinity, so the training went wrong; use an earlier checkpoint.")
    return numbers


def _check_bytes(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise BadFile(
            f"holds more than {max_bytes / MIB:,.1f} MiB; a ResNet18 has 45 MiB, "
            "so save the weights alone, without the optimizer's state"
        )
