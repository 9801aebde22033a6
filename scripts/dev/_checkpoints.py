"""Checkpoints that outlive a kill at any moment: the newest and the one before it, and one writer at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.base.file_lock import open_locked

NEWEST, BEFORE = "checkpoint.pt", "checkpoint.before.pt"


def save(state: dict[str, Any], folder: Path) -> None:
    """Write a state for ``torch.load``; the newest becomes the one before it."""
    import torch

    partial, newest = folder / "checkpoint.partial", folder / NEWEST
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    if newest.exists():
        newest.replace(folder / BEFORE)
    partial.replace(newest)


def load(folder: Path) -> dict[str, Any] | None:
    """The newest state that can be read; None where there is none."""
    import torch

    for name in (NEWEST, BEFORE):
        try:
            state: dict[str, Any] = torch.load(folder / name, map_location="cpu", weights_only=True)
            return state
        except FileNotFoundError:
            continue
        except (OSError, RuntimeError, ValueError, EOFError) as error:
            print(f"{name} cannot be read: {error}", flush=True)
    return None


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder; it is free again when the process ends, however it does.

    Raises:
        SystemExit: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = open_locked(folder / "lock")
    if held is None:
        raise SystemExit(f"Another training runs in {folder}.")
    with held:
        yield
