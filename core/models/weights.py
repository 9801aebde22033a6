"""Weights: a person's own file made into one of ours, and ours into tensors.

Whatever a stranger made is read by ``core.models.weight_files`` in a process of its own, without PyTorch and without
unpickling; ``worker`` there says how it is held. The server only ever opens what that process wrote.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import WeightsInvalid
from core.base.settings import MAX_WEIGHTS_BYTES, PROJECT_ROOT
from core.models.weight_files import safetensors
from core.models.weight_files.networks import CHECKS
from core.models.weight_files.tensors import BadFile

if TYPE_CHECKING:
    from torch import Tensor

READER = (sys.executable, "-W", "ignore", "-m", "core.models.weight_files.worker")
# One thread and one arena: what they would reserve counts as memory.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
_AT_A_TIME = 2  # files; the others wait, each for as long as those may take
_turns = threading.BoundedSemaphore(_AT_A_TIME)


def import_weights(
    source: Path,
    target: Path,
    network: str = "resnet18",
    *,
    max_bytes: int = MAX_WEIGHTS_BYTES,
    reader: Sequence[str] = READER,
) -> int:
    """Write the weights in a stranger's file to ``target`` as safetensors; the number of classes.

    Wrappings (``state_dict``, ``model``), common prefixes (``module.``) and BatchNorm's batch counters are left out.

    Args:
        source: ``.safetensors``, or ``.pth`` / ``.pt`` as ``torch.save(model.state_dict(), path)`` writes it.
        target: a new file in a folder that is there. After an error there may be a part of it.
        network: whose weights they must be; a name of ``core.models.weight_files.networks.CHECKS``.
        max_bytes: largest size of the file, and of what is in it.
        reader: the command that reads the file; it gets the arguments above, and answers as ``worker`` does.

    Raises:
        WeightsInvalid: too large, damaged, holding anything but tensors, of another network, or with NaN.
        OSError: the target cannot be written.
    """
    arguments = (str(source.absolute()), str(target.absolute()), network, str(max_bytes))
    with _turns:
        done = subprocess.run(  # noqa: S603 - our own module
            (*reader, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=PROJECT_ROOT,
            env=os.environ | _ENVIRONMENT,
            start_new_session=True,  # Ctrl+C is for the server
            check=False,
        )
    if done.returncode or not done.stdout:
        raise WeightsInvalid(
            f"{source.name} takes more time or memory than a file of its size should; "
            "save it with torch.save(model.state_dict(), 'weights.pth'), or as safetensors."
        )
    if (message := (answer := json.loads(done.stdout)).get("message")) is None:
        return _check(target, network)
    raise OSError(answer["errno"], message) if "errno" in answer else WeightsInvalid(message)


def load_weights(path: Path, network: str = "resnet18") -> tuple[dict[str, Tensor], int]:
    """The tensors of a file that ``import_weights`` wrote, by torchvision's names, and the number of classes.

    Raises:
        WeightsInvalid: missing, damaged, or of another network.
        ImportError: torch is not installed.
    """
    classes = _check(path, network)
    from safetensors.torch import load_file

    return load_file(path), classes


def _check(path: Path, network: str) -> int:
    try:
        with path.open("rb") as file:
            return CHECKS[network](safetensors.describe(file, path.stat().st_size))
    except BadFile as error:
        raise WeightsInvalid(f"{path.name} {error}.") from error
    except OSError as error:
        raise WeightsInvalid(f"{path.name} cannot be read; choose it again.") from error
