"""A folder for each process below ``work_dir``, locked for as long as it lives; those without an owner are removed."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from core.base.file_lock import lock, open_locked


def open_run_folder(work_dir: Path) -> tuple[Path, TextIO]:
    """A new folder of this process, and what holds it until it is closed; those of dead processes are removed first.

    Raises:
        PermissionError: ``work_dir`` is a link, or belongs to another user (root, who can do everything anyway,
            excepted).
    """
    _make_private(work_dir)
    with _alone_in(work_dir):
        _remove_abandoned(work_dir)
        folder = work_dir / f"run-{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        held = _try_lock(folder)
        assert held is not None, "nobody else looks at it now"  # noqa: S101
        return folder, held


def _make_private(folder: Path) -> None:
    """Make ``folder``, or take it if it is ours: in a shared temporary folder somebody else may have made it before."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.getuid(), 0):
        raise PermissionError(f"{folder} belongs to somebody else; name another folder in AISR_WORK_DIR.")
    if found.st_uid == os.getuid():
        folder.chmod(0o700)


@contextmanager
def _alone_in(work_dir: Path) -> Iterator[None]:
    """Wait until no other process is making or removing folders there: one that is new has no lock yet."""
    descriptor = os.open(work_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _try_lock(folder: Path) -> TextIO | None:
    """Lock a run folder; None where a living process holds it."""
    with suppress(OSError):  # no folder of ours, or another process has just removed it
        return open_locked(folder / "lock")
    return None


def _remove_abandoned(work_dir: Path) -> None:
    for folder in (*work_dir.glob("run-*"), *work_dir.glob("new-*")):  # the latter by earlier versions
        held = _try_lock(folder)
        if held is not None:
            shutil.rmtree(folder, ignore_errors=True)
            held.close()
