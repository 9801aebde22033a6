"""The processor this process runs on: its name, its instruction sets, and how much of it may be used."""

from __future__ import annotations

import math
import os
import platform
from contextlib import suppress
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_CPUINFO = Path("/proc/cpuinfo")


def cpu_name() -> str:
    """The model name, e.g. ``"AMD EPYC 9555"``; empty where the system does not say."""
    return _cpuinfo("model name") or platform.processor()


def cpu_flags() -> frozenset[str] | None:
    """The instruction sets as Linux names them, e.g. ``"avx512_vnni"``; None where they cannot be read."""
    flags = _cpuinfo("flags")
    return frozenset(flags.split()) if flags else None


def cpu_quota(cgroup: Path = _CGROUP) -> float | None:
    """The CPUs' worth of time that the control group grants; None where it sets no limit.

    Reads ``cpu.max`` (cgroup v2) or ``cpu.cfs_quota_us`` (v1), as a container sees its own group.
    """
    with suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota_us = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        return quota_us / int((cgroup / "cpu" / "cpu.cfs_period_us").read_text()) if quota_us > 0 else None
    return None


def cpu_count() -> int:
    """CPUs this process may run on, which in a container or under ``taskset`` is less than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_cores() -> float:
    """CPUs this process can keep busy: those it may run on, or fewer by its quota."""
    return min(float(cpu_count()), cpu_quota() or math.inf)


def _cpuinfo(field: str) -> str:
    with suppress(OSError):
        for line in _CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == field:
                return value.strip()
    return ""
