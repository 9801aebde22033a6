"""All open stacks: unguessable ids, private folders, expiry, and clean-up after a crash."""

from __future__ import annotations

import fcntl
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TextIO

from core.archive import Archive
from core.errors import LimitExceeded, StackNotFound, TooManyStacks
from core.settings import MIB, Settings
from core.stack import ImageStack
from core.workers import WorkerPool

ID_BYTES = 16  # 128 random bits: guessing one is out of reach
COPY_BYTES = 16 * MIB
SWEEP_SECONDS = 30.0


class StackStore:
    """Creates, finds, expires and deletes stacks. One per process.

    Every process works in a folder of its own below ``settings.work_dir`` and holds a lock on it for as long as it
    lives; folders without a living owner are removed when the next process starts. ``folder`` is that folder.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stacks: dict[str, tuple[ImageStack, float]] = {}
        self._opening = 0  # uploads under way; they count towards max_stacks
        self._lock = threading.Lock()
        self._pool = WorkerPool(settings.decode_workers)
        settings.work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_abandoned_runs(settings.work_dir)
        self.folder, self._run_lock = _create_run_folder(settings.work_dir)
        self._stopping = threading.Event()
        threading.Thread(target=self._sweep_until_stopped, name="stack-sweeper", daemon=True).start()

    def __len__(self) -> int:
        return len(self._stacks)

    def create(self, source: BinaryIO, name: str, on_copied: Callable[[int], None] = lambda copied: None) -> ImageStack:
        """Copy a ZIP from ``source`` to disk, index it, and begin decoding in the background.

        Args:
            source: readable binary stream of the archive, read to its end in bounded pieces.
            name: what the person calls it; shown, never used as a path.
            on_copied: called with the number of bytes copied so far, after every 16 MiB.

        Raises:
            ArchiveError: the archive is unusable or passes a limit; nothing is left behind.
            TooManyStacks: the server is full.
        """
        stack_id = secrets.token_urlsafe(ID_BYTES)
        folder = self.folder / stack_id
        with self._lock:
            if len(self._stacks) + self._opening >= self._settings.max_stacks:
                raise TooManyStacks("The server holds as many stacks as it can. Try again in a few minutes.")
            self._opening += 1
        try:
            folder.mkdir(mode=0o700)
            path = folder / "stack.zip"
            self._copy(source, path, on_copied)
            stack = ImageStack(stack_id, name, Archive.open(path, self._settings), folder, self._pool, self._settings)
            with self._lock:
                self._stacks[stack_id] = (stack, time.monotonic())
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            with self._lock:
                self._opening -= 1
        stack.start_ingest()
        return stack

    def get(self, stack_id: str) -> ImageStack:
        """The stack of this id; using it postpones its expiry.

        Raises:
            StackNotFound: there is none (any more).
        """
        with self._lock:
            if stack_id not in self._stacks:
                raise StackNotFound("This stack does not exist or has expired. Upload it again.")
            stack, _ = self._stacks[stack_id]
            self._stacks[stack_id] = (stack, time.monotonic())
            return stack

    def delete(self, stack_id: str) -> None:
        """Forget a stack and unlink its files; unknown ids are ignored."""
        with self._lock:
            stack, _ = self._stacks.pop(stack_id, (None, 0.0))
        if stack is not None:
            self._discard(stack)

    def sweep(self) -> None:
        """Delete the stacks nobody has used for ``stack_ttl_seconds``."""
        oldest = time.monotonic() - self._settings.stack_ttl_seconds
        with self._lock:
            expired = [stack for stack, used in self._stacks.values() if used < oldest]
            for stack in expired:
                del self._stacks[stack.id]
        for stack in expired:
            self._discard(stack)

    def close(self) -> None:
        """Delete everything; the store cannot be used afterwards."""
        self._stopping.set()
        for stack_id in list(self._stacks):
            self.delete(stack_id)
        self._pool.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._run_lock.close()

    def _discard(self, stack: ImageStack) -> None:
        stack.mark_deleted()
        shutil.rmtree(self.folder / stack.id, ignore_errors=True)

    def _copy(self, source: BinaryIO, path: Path, on_copied: Callable[[int], None]) -> None:
        limit, copied = self._settings.max_upload_bytes, 0
        with path.open("wb") as target:
            while piece := source.read(COPY_BYTES):
                copied += len(piece)
                if copied > limit:
                    raise LimitExceeded(f"The file is larger than the {limit // MIB} MB this server accepts.")
                target.write(piece)
                on_copied(copied)

    def _sweep_until_stopped(self) -> None:
        while not self._stopping.wait(SWEEP_SECONDS):
            self.sweep()


def _try_lock(folder: Path) -> TextIO | None:
    """Lock a run folder; None where a living process holds it. The lock ends with the process, however it ends."""
    try:
        handle = (folder / "lock").open("w")
    except OSError:  # no folder of ours, or another process has just removed it
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle


def _create_run_folder(work_dir: Path) -> tuple[Path, TextIO]:
    """A new locked folder; it gets its final name only once locked, so that no other process takes it for abandoned."""
    token = secrets.token_hex(8)
    draft, final = work_dir / f"new-{token}", work_dir / f"run-{token}"
    draft.mkdir(mode=0o700)
    lock = _try_lock(draft)
    assert lock is not None, "nobody else knows this folder"  # noqa: S101
    draft.rename(final)
    return final, lock


def _remove_abandoned_runs(work_dir: Path) -> None:
    for folder in work_dir.glob("run-*"):
        lock = _try_lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()
