"""Files other than stacks that a page receives, weights of a model: on disk, within the quotas, until they are used."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from core.base.errors import FileNotKept
from core.stacks.quota import Place, QuotaShare
from core.stacks.upload import ID_BYTES, Upload

KEPT_SECONDS = 3600.0  # long enough to find the labels that go with the weights


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file as it came: where it is, what the person calls it, and how many bytes it has."""

    file_id: str
    path: Path
    name: str
    size: int


class FileStore:
    """Keeps files below ``folder``; ``place_for`` gives each its part of a client's quota. Safe from any thread.

    ``clock`` tells seconds; only their differences count.
    """

    def __init__(
        self, folder: Path, place_for: Callable[[str], QuotaShare], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._place_for = place_for
        self._clock = clock
        self._files: dict[str, tuple[KeptFile, QuotaShare, float]] = {}
        self._lock = threading.Lock()

    def receive(self, client: str, limit: int, ending: str = "") -> Upload[KeptFile]:
        """A file of at most ``limit`` bytes that arrives piece by piece; on disk its name ends in ``ending``.

        Raises:
            TooManyStacks, QuotaExceeded, DiskFull: as for a stack, as which it counts.
        """
        share = self._place_for(client)
        folder = self._folder / secrets.token_urlsafe(ID_BYTES)
        try:
            return Upload(folder, share, limit, self._keep, f"weights{ending}")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            share.release()
            raise

    def get(self, file_id: str) -> KeptFile:
        """The file of this id.

        Raises:
            FileNotKept: there is none (any more).
        """
        with self._lock:
            kept = self._files.get(file_id)
        if kept is None:
            raise FileNotKept("This file does not exist or has expired. Upload it again.")
        return kept[0]

    def delete(self, file_id: str) -> None:
        """Forget a file and delete it; unknown ids are ignored."""
        with self._lock:
            kept = self._files.pop(file_id, None)
        if kept is not None:
            shutil.rmtree(kept[0].path.parent, ignore_errors=True)
            kept[1].release()

    def places(self) -> list[Place]:
        """What the files take of all places; idle since they came."""
        now = self._clock()
        with self._lock:
            return [
                Place(file_id, share.client, share.bytes, now - since)
                for file_id, (_, share, since) in self._files.items()
            ]

    def sweep(self) -> None:
        """Delete what is older than ``KEPT_SECONDS``."""
        oldest = self._clock() - KEPT_SECONDS
        with self._lock:
            expired = [file_id for file_id, (_, _, since) in self._files.items() if since < oldest]
        for file_id in expired:
            self.delete(file_id)

    def _keep(self, upload: Upload[KeptFile], name: str) -> KeptFile:
        kept = KeptFile(upload.folder.name, upload.path, PureWindowsPath(name).name, upload.size)
        with self._lock:
            self._files[kept.file_id] = (kept, upload.share, self._clock())
        return kept
