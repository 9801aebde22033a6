"""Limits of the system on a process that looks at a stranger's file: set before the first byte, kept by the kernel."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def limit(kind: int, wanted: int, *, for_good: bool = True) -> None:
    """Set ``resource.RLIMIT_...``, never above the limit that holds; unless ``for_good`` it may be raised again."""
    _, hard = resource.getrlimit(kind)
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (value, value if for_good else hard))


def limit_memory(more: int, *, for_good: bool = True) -> None:
    """Let this process take ``more`` bytes of address space beyond what it has; only Linux tells and keeps that."""
    if sys.platform == "linux":
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit(resource.RLIMIT_AS, mapped + more, for_good=for_good)
