"""Image stacks on disk, for the command lines."""

from __future__ import annotations

import sys
from pathlib import Path

from core.stacks.stack import ImageStack
from core.stacks.store import StackStore


def open_stack(store: StackStore, path: Path) -> ImageStack:
    """The stack of a file or folder, read where it is; of what can only be read once, such as a pipe, it is a copy.

    Raises:
        AppError: as for ``StackStore.open``.
        OSError: nothing there, or it cannot be read.
    """
    name = path.resolve().name
    if path.is_dir() or path.is_file():
        return store.open(path, name)
    with path.open("rb") as pipe:
        return store.create(pipe, name)


def print_skipped(stack: ImageStack) -> None:
    """Say on standard error what the stack has left out, and why."""
    for skipped in stack.skipped:
        print(f"skipped {skipped.name}: {skipped.reason}", file=sys.stderr)
