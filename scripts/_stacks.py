"""Image stacks on disk, for the command lines."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event

from tqdm import tqdm

from core.images.pixels import RangeOf
from core.recognition.recognize import find_range
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore


def open_stack(store: StackStore, path: Path, range_of: RangeOf = "image") -> ImageStack:
    """The stack of a file or folder, read where it is; of what can only be read once, such as a pipe, it is a copy.

    Its values are scaled by ``range_of``; to find the range of all images, they are decoded once.

    Raises:
        AppError: as for ``StackStore.open``.
        OSError: nothing there, or it cannot be read.
    """
    stack = _open(store, path)
    if range_of == "stack":
        with tqdm(total=len(stack.range.awaited), desc="range", unit="image", file=sys.stderr) as bar:
            find_range(stack, Event(), on_image=bar.update)
        stack.choose_range("stack")
    return stack


def _open(store: StackStore, path: Path) -> ImageStack:
    name = path.resolve().name
    if path.is_dir() or path.is_file():
        return store.open(path, name)
    with path.open("rb") as pipe:
        return store.create(pipe, name)


def print_skipped(stack: ImageStack) -> None:
    """Say on standard error what the stack has left out, and why."""
    for skipped in stack.skipped:
        print(f"skipped {skipped.name}: {skipped.reason}", file=sys.stderr)
