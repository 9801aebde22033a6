"""What the figures depend on besides the code: machine, system and versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from importlib.metadata import PackageNotFoundError, version

import psutil
from pydantic import BaseModel, ConfigDict

from core.base.cpu import cpu_count, cpu_flags, cpu_name, cpu_quota

VERSIONED = ("openvino", "torch", "torchvision", "nncf", "imagecodecs", "pillow", "numpy", "streamlit")

# What OpenVINO uses for INT8 and bf16, under Linux' names (arch/x86/include/asm/cpufeatures.h).
_INSTRUCTION_SETS = {
    "AVX2": "avx2",
    "AVX-512": "avx512f",
    "AVX-VNNI": "avx_vnni",
    "AVX-512 VNNI": "avx512_vnni",
    "AMX INT8": "amx_int8",
    "AMX BF16": "amx_bf16",
}
_FOR_INT8 = ("AVX-VNNI", "AVX-512 VNNI", "AMX INT8")


class Environment(BaseModel):
    """Machine and software of one benchmark.

    Attributes:
        cores: CPUs the process may run on; ``cpu_quota`` CPUs' worth of time, None without a limit.
        instruction_sets: which of those that matter are there; None where the system does not tell.
        memory_gb: of the machine, 10^9 bytes.
        load: processes that wanted a CPU in the minute before the benchmark, on average; None where unknown.
    """

    model_config = ConfigDict(frozen=True)

    cpu: str
    cores: int
    cpu_quota: float | None
    instruction_sets: dict[str, bool] | None
    memory_gb: float
    load: float | None
    system: str
    python: str
    versions: dict[str, str]

    @property
    def int8_warning(self) -> str | None:
        """A sentence where this CPU lacks what makes INT8 fast."""
        if self.instruction_sets is None or any(self.instruction_sets.get(name) for name in _FOR_INT8):
            return None
        return "This CPU has no VNNI or AMX instructions, so INT8 may gain little over FP32 here."


def read_environment(packages: Sequence[str] = VERSIONED) -> Environment:
    """The environment of this process, now; with the versions of those of ``packages`` that are installed."""
    return Environment(
        cpu=cpu_name() or "unknown",
        cores=cpu_count(),
        cpu_quota=cpu_quota(),
        instruction_sets=_instruction_sets(cpu_flags()),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        system=platform.platform(),
        python=platform.python_version(),
        versions={package: found for package in packages if (found := _version(package))},
    )


def _instruction_sets(flags: AbstractSet[str] | None) -> dict[str, bool] | None:
    return None if flags is None else {name: flag in flags for name, flag in _INSTRUCTION_SETS.items()}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
