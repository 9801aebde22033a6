"""All open stacks: unguessable ids, private folders, expiry, and clean-up after a crash."""

from __future__ import annotations

import gc
import secrets
import shutil
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from core.base.budget import ByteBudget
from core.base.byte_lane import ByteLane
from core.base.disk import disk_errors
from core.base.errors import StackNotFound, TooManyStacks
from core.base.memory import give_memory_back
from core.base.settings import MIB, Settings
from core.base.workers import WorkerPool
from core.stacks.files import FileStore
from core.stacks.quota import Place, Quota, QuotaShare, Usage, place_to_free
from core.stacks.resumable import ResumableUploads
from core.stacks.run_folder import open_run_folder
from core.stacks.sources import open_parts, open_source
from core.stacks.sources.parts import Part
from core.stacks.sources.source import Scratch, Source
from core.stacks.stack import ImageStack, prepared_bytes
from core.stacks.upload import ID_BYTES, Upload

COPY_BYTES = 16 * MIB
SWEEP_SECONDS = 30.0
OWN_ENTRIES = 10_000_000  # of a stack that the server's own commands open in place; their names alone take 2 GB


@dataclass(slots=True)
class _Kept:
    """A stack, its part of the quota, and when it was last used (by the store's clock)."""

    stack: ImageStack
    share: QuotaShare
    used: float


class StackStore:
    """Creates, finds, expires and deletes stacks. One per process.

    Every process works in a folder of its own below ``settings.work_dir`` and holds a lock on it for as long as it
    lives; folders without a living owner are removed when the next process starts. ``folder`` is that folder.
    ``files`` are those that are no stacks, ``resumable`` uploads that may go on later; ``memory`` is what everything
    that reads images draws from, ``answers`` what is made of them, until it is sent. ``clock`` tells seconds; only
    their differences count.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sweep_seconds: float = SWEEP_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._sweep_seconds = sweep_seconds
        self._clock = clock
        self._stacks: dict[str, _Kept] = {}
        self._lock = threading.Lock()
        self.memory = ByteBudget(settings.image_memory_bytes, large_at_once=settings.decode_workers)
        self.answers = ByteLane(settings.image_memory_bytes // 4, per_client=settings.image_memory_bytes // 16)
        self._pool = WorkerPool(settings.decode_workers, self.memory)
        self.folder, self._run_lock = open_run_folder(settings.work_dir)
        self._quota = Quota(settings, self.folder)
        self.files = FileStore(self.folder / "files", self._place_for, clock)
        self.resumable = ResumableUploads(self.receive, clock)
        self._deleted: weakref.WeakSet[ImageStack] = weakref.WeakSet()
        self._deleted_lately = False
        self._stopping = threading.Event()
        threading.Thread(target=self._sweep_until_stopped, name="stack-sweeper", daemon=True).start()

    def __len__(self) -> int:
        return len(self._stacks)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all stacks, oldest first."""
        with self._lock:
            return tuple(self._stacks)

    @property
    def usage(self) -> Usage:
        """What is stored now, uploads under way included."""
        return self._quota.usage

    def create(self, source: BinaryIO, name: str, client: str = "") -> ImageStack:
        """Copy an archive or image from ``source`` to disk, index it, and begin decoding in the background.

        Args:
            source: readable binary stream, read to its end in bounded pieces.
            name: what the person calls it; shown, never used as a path. An image's says its format.
            client: whose quota it counts towards; empty for the server's own.

        Raises:
            ArchiveError, TooManyStacks, QuotaExceeded, DiskFull: as for ``receive``; nothing is left behind.
        """
        with self.receive(client) as upload:
            while piece := source.read(COPY_BYTES):
                upload.write(piece)
            return upload.finish(name)

    def receive(self, client: str = "") -> Upload[ImageStack]:
        """An archive, an image, or several files, that arrive piece by piece.

        Raises:
            TooManyStacks: the server is full.
            QuotaExceeded: this client has as many stacks as it may.
            DiskFull: there is no room for a file.
        """
        share = self._place_for(client)
        folder = self.folder / secrets.token_urlsafe(ID_BYTES)
        try:
            return Upload(folder, share, self._settings.max_upload_bytes, self._add_upload, "stack.zip")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            share.release()
            raise

    def open(self, path: Path, name: str, client: str = "") -> ImageStack:
        """A stack of what is at ``path`` on this machine: it is read where it is, and nothing of it is copied.

        Args:
            path: a folder, or a file that a source reads; it must stay there.
            name: what the stack is called.
            client: whose quota what is computed counts towards. Empty for the server's own: such as the commands',
                which may have as many images as there is room for.

        Raises:
            ArchiveError, TooManyStacks, QuotaExceeded, DiskFull: as for ``create``.
            OSError: it is not there, or may not be read.
        """
        share = self._place_for(client)
        folder = self.folder / secrets.token_urlsafe(ID_BYTES)
        limits = self._settings if client else self._settings.model_copy(update={"max_entries": OWN_ENTRIES})
        try:
            with disk_errors():
                folder.mkdir(mode=0o700)
            return self._add(open_source(path, limits, Scratch(folder, share.grow), name=name), name, folder, share)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            share.release()
            raise

    def share(self, client: str) -> QuotaShare:
        """The part of the quota that something else than a stack takes, such as a client's own model: bytes alone."""
        return self._quota.open_without_place(client)

    def get(self, stack_id: str) -> ImageStack:
        """The stack of this id; using it postpones its expiry.

        Raises:
            StackNotFound: there is none (any more).
        """
        with self._lock:
            kept = self._stacks.get(stack_id)
            if kept is None:
                raise StackNotFound("This stack does not exist or has expired. Upload it again.")
            kept.used = self._clock()
            return kept.stack

    def delete(self, stack_id: str) -> None:
        """Forget a stack and unlink its files; unknown ids are ignored."""
        with self._lock:
            kept = self._stacks.pop(stack_id, None)
        if kept is not None:
            self._discard(kept)

    def sweep(self) -> None:
        """Delete the stacks nobody has used for ``stack_ttl_seconds``; free disk and memory of deleted ones."""
        if self._deleted_lately:
            self._deleted_lately = False
            give_memory_back()
        if self._deleted:
            # Failed work and its errors refer to each other in circles, and keep a stack's unlinked files with them.
            gc.collect()
        self.files.sweep()
        self.resumable.sweep()
        oldest = self._clock() - self._settings.stack_ttl_seconds
        with self._lock:
            expired = [kept for kept in self._stacks.values() if kept.used < oldest]
            for kept in expired:
                del self._stacks[kept.stack.id]
        for kept in expired:
            self._discard(kept)

    def close(self) -> None:
        """Delete everything; the store cannot be used afterwards."""
        self._stopping.set()
        for stack_id in self.ids:
            self.delete(stack_id)
        self.memory.close()
        self.answers.close()
        self._pool.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._run_lock.close()

    def _place_for(self, client: str) -> QuotaShare:
        try:
            return self._quota.open(client)
        except TooManyStacks:
            found = place_to_free(self._places(), client)
            if found is None:
                raise
            self.delete(found)
            self.files.delete(found)
            self.resumable.delete(found)
            return self._quota.open(client)

    def _places(self) -> list[Place]:
        now = self._clock()
        with self._lock:
            stacks = [
                Place(stack_id, kept.share.client, kept.share.bytes, now - kept.used)
                for stack_id, kept in self._stacks.items()
            ]
        return stacks + self.files.places() + self.resumable.places()

    def _discard(self, kept: _Kept) -> None:
        self._deleted.add(kept.stack)
        self._deleted_lately = True
        kept.stack.mark_deleted()
        shutil.rmtree(self.folder / kept.stack.id, ignore_errors=True)
        kept.share.release()

    def _add_upload(self, upload: Upload[ImageStack], name: str) -> ImageStack:
        starts = [*(upload.starts or [(name, 0)]), ("", upload.size)]
        parts = [Part(part, start, end - start) for (part, start), (_, end) in pairwise(starts)]
        source = open_parts(upload.path, parts, self._settings, Scratch(upload.folder, upload.share.grow))
        return self._add(source, name, upload.folder, upload.share)

    def _add(self, source: Source, name: str, folder: Path, share: QuotaShare) -> ImageStack:
        share.grow(prepared_bytes(len(source.entries)))
        stack = ImageStack(
            folder.name, name, source, folder, self._pool, self._settings, client=share.client, grow=share.grow
        )
        with self._lock:
            self._stacks[stack.id] = _Kept(stack, share, self._clock())
        stack.start_ingest()
        return stack

    def _sweep_until_stopped(self) -> None:
        while not self._stopping.wait(self._sweep_seconds):
            self.sweep()
