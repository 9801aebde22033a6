"""Folders for what can be made again from a model's files: named after whatever made it, and bounded in number."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

Versions = Callable[[str], str]

# Folders of each kind that stay; a further one takes the place of the one unused for longest. The ONNX and FP32 forms
# of a ResNet18 take 90 MB, a compiled INT8 model 12 MB.
MOST_KEPT = {"weights": 6, "compiled": 24}


@cache
def installed_version(package: str) -> str:
    """The version of an installed Python package; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def maker(packages: Iterable[str], code: Iterable[Path], versions: Versions) -> str:
    """Short checksum of what makes something: Python packages by their versions, and our own source files."""
    digest = hashlib.sha256()
    for package in sorted(packages):
        digest.update(f"{package} {versions(package)}\n".encode())
    for path in code:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def cache_folder(root: Path, kind: str, source: str, made_by: str) -> Path:
    """The folder, not made yet, for what ``made_by`` makes from ``source``; counts as its use.

    Where it is new, folders of its ``kind`` beyond ``MOST_KEPT`` are removed. Whoever still reads a file goes on.
    """
    folder = root / f"{kind}-{source}-{made_by}"
    with suppress(OSError):  # a cache that cannot be written only costs time
        if folder.exists():
            os.utime(folder)
        else:
            others = sorted(root.glob(f"{kind}-*"), key=lambda other: other.stat().st_mtime_ns, reverse=True)
            for old in others[MOST_KEPT[kind] - 1 :]:
                shutil.rmtree(old, ignore_errors=True)
    return folder
