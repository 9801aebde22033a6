"""Uploads that may break off and go on: what has arrived stays for a while, within the quotas, until the rest comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from core.base.errors import InvalidRequest, UploadBusy, UploadNotFound
from core.stacks.quota import Place
from core.stacks.sources import must_unpack
from core.stacks.stack import ImageStack
from core.stacks.upload import Upload

KEPT_SECONDS = 3600.0  # after the last byte: long enough to find another network


@dataclass(slots=True)
class Resumable:
    """An upload of ``length`` bytes, of which ``upload.size`` have arrived, that becomes a stack called ``name``."""

    upload: Upload[ImageStack]
    name: str
    length: int
    used: float
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def upload_id(self) -> str:
        """The key to it; also that of the stack which it becomes."""
        return self.upload.folder.name

    def write(self, piece: bytes) -> None:
        """Append ``piece``; raises what ``Upload.write`` does, and InvalidRequest for more than was announced."""
        if self.upload.size + len(piece) > self.length:
            raise InvalidRequest("More bytes were sent than “Upload-Length” announced.")
        self.upload.write(piece)

    def must_unpack(self) -> bool:
        """See ``sources.must_unpack``; also where it was cancelled meanwhile."""
        with suppress(FileNotFoundError):
            return must_unpack(self.upload.path)
        return False


class ResumableUploads:
    """Keeps uploads between requests. Safe from any thread.

    ``receive`` begins one for a client; ``clock`` tells seconds, of which only differences count.
    """

    def __init__(
        self, receive: Callable[[str], Upload[ImageStack]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._receive = receive
        self._clock = clock
        self._uploads: dict[str, Resumable] = {}
        self._lock = threading.Lock()

    def create(self, client: str, name: str, length: int) -> Resumable:
        """Begin one.

        Raises:
            TooManyStacks, QuotaExceeded, DiskFull: as for a stack, as which it counts.
        """
        made = Resumable(self._receive(client), name, length, self._clock())
        with self._lock:
            self._uploads[made.upload_id] = made
        return made

    def get(self, upload_id: str) -> Resumable:
        """The upload of this id.

        Raises:
            UploadNotFound: there is none: never there, expired, cancelled, or complete.
        """
        with self._lock:
            found = self._uploads.get(upload_id)
        if found is None:
            raise UploadNotFound("This upload does not exist, has expired, or is complete. Begin again.")
        return found

    @contextmanager
    def held(self, upload_id: str) -> Iterator[Resumable]:
        """The upload, for one request at a time.

        Raises:
            UploadNotFound: see ``get``.
            UploadBusy: another request sends bytes of it.
        """
        found = self.get(upload_id)
        if not found.lock.acquire(blocking=False):
            raise UploadBusy("Another request still sends bytes of this upload. Try again in a moment.")
        try:
            yield found
        finally:
            found.used = self._clock()
            found.lock.release()

    def finish(self, upload_id: str) -> ImageStack:
        """The stack of an upload that is complete; whether that succeeds or not, the upload is gone.

        Raises:
            UploadNotFound: it was cancelled meanwhile.
            ArchiveError, TooManyStacks, QuotaExceeded, DiskFull: as for ``Upload.finish``.
        """
        with self._lock:
            found = self._uploads.pop(upload_id, None)
        if found is None:
            raise UploadNotFound("This upload was cancelled. Begin again.")
        with found.upload:
            return found.upload.finish(found.name)

    def delete(self, upload_id: str) -> None:
        """Forget an upload and what has arrived of it; unknown ids are ignored."""
        with self._lock:
            found = self._uploads.pop(upload_id, None)
        if found is not None:
            found.upload.discard()

    def places(self) -> list[Place]:
        """What they take of all places."""
        now = self._clock()
        with self._lock:
            return [
                Place(upload_id, one.upload.share.client, one.upload.share.bytes, now - one.used)
                for upload_id, one in self._uploads.items()
                if not one.lock.locked()
            ]

    def sweep(self) -> None:
        """Delete those of which nothing has come for ``KEPT_SECONDS``."""
        for place in self.places():
            if place.idle_seconds >= KEPT_SECONDS:
                self.delete(place.id)
