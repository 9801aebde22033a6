"""Locks on files, which end with their process however that ends: ``flock``, held by one open file at a time."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


def lock(file: FileDescriptorLike) -> None:
    """Lock an open file or folder until it is closed, first waiting for whoever else holds the lock."""
    fcntl.flock(file, fcntl.LOCK_EX)


def try_lock(file: FileDescriptorLike) -> bool:
    """The same without waiting; False where somebody else holds the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_locked(path: Path) -> TextIO | None:
    """The file at ``path``, made where it is not there, open and locked; None where somebody else holds the lock.

    Raises:
        OSError: it cannot be made.
    """
    file = path.open("w")
    if try_lock(file):
        return file
    file.close()
    return None
