"""The images of a unit as model inputs, decoded ahead in threads; what cannot be read comes as a row that says why."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from core.base.budget import ByteBudget
from core.base.errors import AppError, ArchiveError, LimitExceeded
from core.base.settings import MIB, Settings
from core.batch.listing import Listed
from core.batch.manifest import Unit
from core.batch.parts import Row
from core.batch.reading import Archives, FileFailure, Patience, open_file
from core.batch.stores import Store
from core.images.formats import format_of_name, why_unread
from core.images.formats.format import FileReader, ImageFormat, ImageHeader, check_size
from core.images.model_input import make_input, making_bytes
from core.images.preprocessing import Preprocessing
from core.stacks.sources.source import Skipped, Source

AHEAD = 4  # images a thread that are decoded before anybody waits for them
_NOT_MEANT = {"hidden", "not_an_image"}  # what is in archives beside images
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Frame:
    """An image on its way: its row, and its model input, which is None where the row has an error.

    ``store_falters`` where the store may give the file another time.
    """

    row: Row
    model_input: NDArray[np.uint8] | None = None
    store_falters: bool = False


@dataclass(frozen=True, slots=True)
class _Image:
    """A frame that can be decoded."""

    row: Row
    image_format: ImageFormat
    file: FileReader
    header: ImageHeader

    @property
    def frame(self) -> int:
        return self.row.frame or 0


_Work = Callable[[], tuple[list[Frame], Sequence[_Image]]]
"""Gives frames that are decoded, and images that are still to decode."""


class Frames:
    """Reads units of one store for one preprocessing. For one thread; decoding has ``threads`` of its own."""

    def __init__(
        self,
        store: Store,
        preprocessing: Preprocessing,
        settings: Settings,
        *,
        threads: int,
        patience: Patience,
        hashes: bool = False,
    ) -> None:
        """``hashes`` has the SHA-256 of every file put into its rows."""
        self._store = store
        self._preprocessing = preprocessing
        self._settings = settings
        self._patience = patience
        self._archives = Archives(store, settings, patience)
        self._budget = ByteBudget(settings.image_memory_bytes, large_at_once=threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._ahead = AHEAD * threads
        self._hashes: dict[Hashable, str] | None = {} if hashes else None

    def items(self, unit: Unit) -> list[str]:
        """What ``of`` can be asked for one by one: addresses of files, or names in the archive.

        Raises:
            FileFailure, ArchiveError: the archive cannot be opened.
        """
        if not unit.slices:
            return [self._store.address(file.path) for file in unit.files]
        source = self._archives.open(unit.files[0])
        entries, skipped = _slice(source, unit)
        return [*(source.entries[index].name for index in entries), *(item.name for item in skipped)]

    def of(self, unit: Unit, only: Iterable[int] | None = None) -> Iterator[Frame]:
        """The frames of a unit, in order, or of its items at the positions ``only``."""
        if self._hashes is not None:
            self._hashes.clear()
        try:
            work = self._work(unit)
        except (FileFailure, ArchiveError, OSError) as error:
            if unit.slice == 0:  # one row for the archive, not one for each slice
                yield self._failed(self._row(unit.files[0]), error)
            return
        if only is not None:
            work = [work[position] for position in only]
        yield from self._decoded(work)

    def close(self) -> None:
        """End the threads and let go of files."""
        self._pool.shutdown(cancel_futures=True)
        self._archives.close()

    def _work(self, unit: Unit) -> list[_Work]:
        if not unit.slices:
            return [partial(self._of_file, file) for file in unit.files]
        source = self._archives.open(unit.files[0])
        entries, skipped = _slice(source, unit)
        return [
            *(partial(self._of_entry, unit.files[0], source, index) for index in entries),
            *(partial(self._of_skipped, unit.files[0], item) for item in skipped),
        ]

    def _decoded(self, work: Iterable[_Work]) -> Iterator[Frame]:
        """Have work done ahead; the further frames of a file come right after its first, ahead as well."""
        waiting: deque[Future[tuple[list[Frame], Sequence[_Image]]]] = deque()
        for one in work:
            waiting.append(self._pool.submit(one))
            if len(waiting) > self._ahead:
                yield from self._taken(waiting.popleft())
        while waiting:
            yield from self._taken(waiting.popleft())

    def _taken(self, future: Future[tuple[list[Frame], Sequence[_Image]]]) -> Iterator[Frame]:
        frames, images = future.result()
        yield from frames
        if images:
            yield from self._decoded(partial(self._alone, image) for image in images)

    def _alone(self, image: _Image) -> tuple[list[Frame], Sequence[_Image]]:
        return [self._decode(image)], ()

    def _of_file(self, listed: Listed) -> tuple[list[Frame], Sequence[_Image]]:
        row = self._row(listed)
        try:
            first, *rest = self._images(row, listed)
        except (FileFailure, AppError, OSError, ValueError, MemoryError) as error:
            return [self._failed(row, error)], ()
        return [self._decode(first)], rest

    def _images(self, row: Row, listed: Listed) -> list[_Image]:
        settings = self._settings
        image_format = format_of_name(listed.path)
        if image_format is None:
            raise FileFailure("not_an_image", why_unread(listed.path))
        largest = settings.max_total_bytes if image_format.reads_parts else settings.max_entry_bytes
        if listed.size > largest:
            raise FileFailure("entry_too_large", f"Larger than {largest / MIB:,.1f} MiB; make it smaller.")
        file = open_file(self._store, listed, self._patience)
        images: list[_Image] = []
        for header in islice(image_format.read_headers(file), settings.max_entries + 1):
            check_size(header, settings.max_pixels)
            if len(images) == settings.max_entries:
                raise LimitExceeded(f"The file holds more than {settings.max_entries:,} images. Split it.")
            own = Row(row.path, None, len(images), row.size)
            images.append(_Image(own, image_format, file, header))
        return images

    def _of_entry(self, listed: Listed, source: Source, index: int) -> tuple[list[Frame], Sequence[_Image]]:
        entry = source.entries[index]
        row = Row(self._store.address(listed.path), entry.name, entry.frame, entry.file_size)
        return [self._decode(_Image(row, entry.format, source.file(index), entry.header))], ()

    def _of_skipped(self, listed: Listed, item: Skipped) -> tuple[list[Frame], Sequence[_Image]]:
        row = Row(self._store.address(listed.path), item.name, None, 0, error_code=item.code, error=item.reason)
        return [Frame(row)], ()

    def _decode(self, image: _Image) -> Frame:
        row, header, file = image.row, image.header, image.file
        started = time.perf_counter()
        try:
            needs = making_bytes(image.image_format, header, file.size, self._preprocessing)
            with self._budget.hold(needs):
                model_input = make_input(
                    image.image_format, file, image.frame, header, self._preprocessing,
                    max_pixels=self._settings.max_pixels,
                )  # fmt: skip
            if self._hashes is not None:
                row.sha256 = self._hash(file)
        except Exception as error:  # of millions of files, none ends the others' work
            return self._failed(row, error)
        row.seconds = time.perf_counter() - started
        return Frame(row, model_input)

    def _hash(self, file: FileReader) -> str:
        assert self._hashes is not None  # noqa: S101 - or nobody asks
        if file.key not in self._hashes:
            digest = hashlib.sha256()
            for piece in file.pieces():
                digest.update(piece)
            self._hashes[file.key] = digest.hexdigest()
        return self._hashes[file.key]

    def _row(self, listed: Listed) -> Row:
        return Row(self._store.address(listed.path), None, None, listed.size)

    def _failed(self, row: Row, error: Exception) -> Frame:
        if isinstance(error, FileFailure | AppError):
            row.error_code, row.error = error.code, str(error)
        else:
            _log.warning("event=unforeseen error=%s", type(error).__name__)
            row.error_code = "internal_error"
            row.error = f"The file could not be read ({type(error).__name__}); please report it."
        return Frame(row, store_falters=getattr(error, "store_falters", False))


def _slice(source: Source, unit: Unit) -> tuple[range, list[Skipped]]:
    """The unit's share of an archive: positions of images, and with the first slice the files that are left out."""
    count = len(source.entries)
    entries = range(unit.slice * count // unit.slices, (unit.slice + 1) * count // unit.slices)
    skipped = [item for item in source.skipped if item.code not in _NOT_MEANT] if unit.slice == 0 else []
    return entries, skipped
