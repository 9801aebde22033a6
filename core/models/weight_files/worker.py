"""``convert_weights`` as a process of its own, which the system holds to limits; ``core.models.weights`` starts it.

The reader is made to need little whatever it reads. The limits are for what nobody thought of: they are set before the
first byte of the file is looked at, and the kernel keeps them, also when the server that asked is gone.

Arguments: those of ``convert_weights``. Writes one line of JSON to standard output: an empty object,
or the error.
"""

from __future__ import annotations

import ctypes
import json
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.base.errors import WeightsInvalid
from core.base.process_limits import limit, limit_memory
from core.models.weight_files.convert import convert_weights
from core.models.weight_files.tensors import MIB

MEMORY_BYTES = 64 * MIB  # beyond what the started process has, and three times the file: one tensor and its copies
_OPEN_FILES = 32
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long a file may take, and so much more for each 10 MiB of it; 45 MB take 0.2 s."""

    cpu: int = 20
    cpu_more: int = 1
    wall: int = 60
    wall_more: int = 3  # slow disks, busy machines


def main(source: Path, target: Path, network: str, max_bytes: int, *, seconds: Seconds = Seconds()) -> None:
    """Convert, and say how it went."""
    _confine(source, max_bytes, seconds)
    answer: dict[str, object] = {}
    try:
        convert_weights(source, target, network, max_bytes)
    except WeightsInvalid as error:
        answer = {"message": str(error)}
    except MemoryError:
        answer = {"message": f"{source.name} takes more memory than a file of its size should; save it again."}
    except OSError as error:
        answer = {"message": error.strerror or str(error), "errno": error.errno}
    print(json.dumps(answer))


def _confine(source: Path, max_bytes: int, seconds: Seconds) -> None:
    size = 0
    with suppress(OSError):  # told by convert
        size = min(source.stat().st_size, max_bytes)
    tens = size // (10 * MIB)
    signal.alarm(seconds.wall + seconds.wall_more * tens)
    limit(resource.RLIMIT_CPU, seconds.cpu + seconds.cpu_more * tens)
    limit(resource.RLIMIT_FSIZE, max_bytes + MIB)
    limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    limit(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # ends with the thread that waits for it
    limit_memory(MEMORY_BYTES + 3 * size)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
