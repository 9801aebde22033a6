"""The files of a unit as readers: of a store, tried again where it falters, or of an archive that lies in it."""

from __future__ import annotations

import errno
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from core.base.disk import check_free, disk_errors
from core.base.errors import ImageError
from core.base.settings import MIB, Settings
from core.batch.listing import Listed
from core.batch.stores import Store, brief
from core.images.formats.format import PIECE_BYTES, FileReader, InMemory
from core.stacks.sources import open_source
from core.stacks.sources.source import Scratch, Source

READ_AT_ONCE = 16 * MIB  # smaller files are one request, whoever wants only a part of them
_DENIED = ("access_denied", "accessdenied", "forbidden", "http response code 403")
_FOR_GOOD = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM}
Result = TypeVar("Result")


class FileFailure(Exception):
    """Why a file has no images: a stable code, a sentence, and whether the store may give it another time."""

    def __init__(self, code: str, sentence: str, *, store_falters: bool = False) -> None:
        super().__init__(sentence)
        self.code = code
        self.store_falters = store_falters


@dataclass(frozen=True, slots=True)
class Patience:
    """How often something is tried, and how many seconds lie between the first two tries; then twice as many."""

    tries: int = 4
    seconds: float = 0.5
    sleep: Callable[[float], None] = time.sleep

    def keep_trying(self, work: Callable[[], Result]) -> Result:
        """What ``work`` gives.

        Raises:
            FileFailure: it was refused for good, or ``tries`` times for a reason that may pass.
        """
        for attempt in range(1, self.tries + 1):
            try:
                return work()
            except OSError as error:
                failure = failure_of(error)
                if not failure.store_falters or attempt == self.tries:
                    raise failure from error
                # A fleet that was refused together must not come back together.
                self.sleep(self.seconds * 2 ** (attempt - 1) * (0.5 + random.random()))  # noqa: S311
        raise AssertionError("tries must be at least 1")


def failure_of(error: OSError) -> FileFailure:
    """What an error of the system or of a store means for one file."""
    text = str(error).lower()
    if isinstance(error, PermissionError) or any(word in text for word in _DENIED):
        return FileFailure("not_permitted", "The file may not be read by this program; change its permissions.")
    if isinstance(error, FileNotFoundError):
        return FileFailure("not_found", "There is no such file, or it has gone since the job was begun.")
    if error.errno in _FOR_GOOD:
        return FileFailure("read_failed", f"The file cannot be read ({brief(error)}).")
    return FileFailure("read_failed", f"The file could not be read ({brief(error)}).", store_falters=True)


class StoreFile:
    """A file of a store, of which parts are read."""

    def __init__(self, store: Store, listed: Listed, patience: Patience) -> None:
        self._store = store
        self._path = listed.path
        self._patience = patience
        self.size = listed.size
        self.key: Hashable = (listed.path, listed.size, listed.changed)

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        """See ``FileReader.read``.

        Raises:
            FileFailure: the store does not give it.
        """
        wanted = max(self.size - start, 0) if count is None else min(count, max(self.size - start, 0))

        def once() -> bytes:
            with self._store.files.open_input_file(self._path) as file:
                return bytes(file.read_at(wanted, start))

        data = self._patience.keep_trying(once)
        if len(data) < wanted:
            raise ImageError(_CHANGED)
        return data

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        """See ``FileReader.pieces``."""
        for position in range(start, self.size, PIECE_BYTES):
            yield self.read(position, PIECE_BYTES)


_CHANGED = "The file has changed since the job was begun; begin a new one for it."


def open_file(store: Store, listed: Listed, patience: Patience) -> FileReader:
    """A listed file; a small one is read at once.

    Raises:
        FileFailure: the store does not give it, or it is not what was listed.
    """
    if store.is_local:
        _check_unchanged(store, listed, patience)
    if listed.size > READ_AT_ONCE:
        return StoreFile(store, listed, patience)
    data = patience.keep_trying(lambda: store.read(listed.path))
    if len(data) != listed.size:
        raise FileFailure("file_changed", _CHANGED)
    return InMemory(data)


def _check_unchanged(store: Store, listed: Listed, patience: Patience) -> None:
    info: Any = patience.keep_trying(lambda: store.files.get_file_info(listed.path))
    if info.size is None:
        raise FileFailure("not_found", "There is no such file, or it has gone since the job was begun.")
    if (info.size, info.mtime_ns) != (listed.size, listed.changed):
        raise FileFailure("file_changed", _CHANGED)


class Archives:
    """The archive that was asked for last, open: its slices come one after the other."""

    def __init__(self, store: Store, settings: Settings, patience: Patience) -> None:
        self._store = store
        self._settings = settings
        self._patience = patience
        self._scratch = Scratch(Path(tempfile.gettempdir()), self._check_room)
        self._opened: tuple[Listed, Source] | None = None

    def open(self, listed: Listed) -> Source:
        """An archive's images; it stays open until another one is asked for.

        Raises:
            FileFailure: the store does not give it, or it is not what was listed.
            ArchiveError: as for ``open_source``.
            DiskFull: no room for a copy.
        """
        if self._opened is not None and self._opened[0] == listed:
            return self._opened[1]
        self.close()
        if self._store.is_local:
            _check_unchanged(self._store, listed, self._patience)
            source = open_source(Path(listed.path), self._settings, self._scratch)
        else:
            source = self._of_copy(listed)
        self._opened = (listed, source)
        return source

    def close(self) -> None:
        """Let go of it; no thread may be reading."""
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

    def _check_room(self, count: int) -> None:
        if count > 0:
            check_free(self._scratch.folder, count, self._settings.min_free_bytes)

    def _of_copy(self, listed: Listed) -> Source:
        """Of another machine's archive a copy is opened, and loses its name at once: it goes with whoever reads it."""
        self._check_room(listed.size)
        name = listed.path.rpartition("/")[2]
        with tempfile.TemporaryDirectory(dir=self._scratch.folder, prefix="aisr-batch-") as folder:
            copy = Path(folder) / name

            def fetch() -> None:
                with disk_errors(), self._store.files.open_input_stream(listed.path) as file, copy.open("wb") as out:
                    shutil.copyfileobj(file, out, MIB)

            self._patience.keep_trying(fetch)
            if copy.stat().st_size != listed.size:
                raise FileFailure("file_changed", _CHANGED)
            return open_source(copy, self._settings, self._scratch)
