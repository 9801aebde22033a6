"""An image stack: its source as it came, an index of its images, and what was computed from each of them once."""

from __future__ import annotations

import hashlib
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from core.base.errors import DiskFull, ImageError, ImageNotFound, StackNotFound
from core.base.giving_way import giving_way
from core.base.settings import Settings
from core.base.workers import Job, Priority, WorkerPool
from core.images import pixels, strips
from core.images.display import Picture, to_picture
from core.images.formats import format_of_name
from core.images.formats.format import FileReader, Pixels, Size, decoded, for_browsers
from core.images.memory import preparing_bytes, whole_bytes
from core.images.preprocessing import STANDARD, Preprocessing
from core.stacks.inputs import ModelInputs
from core.stacks.scratch import BlobFile, RowFile, row_bytes
from core.stacks.sources.source import Entry, Skipped, Source

THUMBNAIL_BYTES = 13_000  # on disk, for a photo


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the background decoding of a stack is."""

    done: int
    total: int


@dataclass(slots=True)
class _Inputs:
    """The model inputs of one preprocessing, and the jobs that make them."""

    preprocessing: Preprocessing
    rows: RowFile
    jobs: dict[int, Job] = field(default_factory=dict)


class ImageStack:
    """One person's images. Thumbnail and model input of an image are made in one decode, and kept.

    Models that take other inputs than the default ones have theirs made when they are first asked for, once too; see
    ``inputs``. All methods are safe to call from several threads. Nothing here closes a file explicitly: a deleted
    stack's files are unlinked, and stay readable for whoever still works with the object.
    """

    def __init__(
        self,
        stack_id: str,
        name: str,
        source: Source,
        folder: Path,
        pool: WorkerPool,
        settings: Settings,
        *,
        client: str = "",
        grow: Callable[[int], None] = lambda count: None,
        preprocessing: Preprocessing = STANDARD,
    ):
        """Index ``source``; nothing is decoded yet.

        Args:
            stack_id: the key to it.
            name: what a person calls it.
            source: its images.
            folder: where what is computed is kept, in unnamed files.
            pool: the threads that decode.
            settings: the limits.
            client: whose share of the memory decoding comes out of.
            grow: is told of bytes on disk beyond ``prepared_bytes``, negative where they are given back, and raises
                where there is no room for them.
            preprocessing: of the default model inputs.
        """
        self.id = stack_id
        self.name = name
        self.opened = time.time()
        self._source = source
        self._folder = folder
        self._pool = pool
        self._settings = settings
        self._client = client
        self._grow = grow
        self._default = _Inputs(preprocessing, RowFile(folder, preprocessing.input_shape))
        self._inputs = {preprocessing.pixel_key: self._default}
        self._thumbnails = BlobFile(folder)
        # Kind and sentence: an exception object would keep its traceback, and with it the image's bytes.
        self._errors: dict[int, tuple[type[ImageError], str]] = {}
        self._ranges: dict[int, pixels.ValueRange] = {}  # of large images, which take a pass to find them
        self._lock = threading.Lock()
        self._prepared = 0
        self._deleted = False
        self._by_name: dict[str, int] = {}
        self._by_base_name: dict[str, int | None] = {}
        digest = hashlib.sha256()
        for index, entry in enumerate(giving_way(source.entries)):
            self._by_name[entry.name] = index
            base = entry.name.rpartition("/")[2]
            self._by_base_name[base] = index if base not in self._by_base_name else None
            line = f"{entry.file_size} {entry.name}"
            digest.update((f"\n{line}" if index else line).encode("utf-8", "surrogatepass"))
        self._fingerprint = digest.hexdigest()[:12]

    def __len__(self) -> int:
        return len(self._source.entries)

    @property
    def entries(self) -> Sequence[Entry]:
        """The images in natural order of their names."""
        return self._source.entries

    @property
    def in_name_order(self) -> bool:
        """Whether the images stand in the natural order of their names, or of their series."""
        return self._source.in_name_order

    @property
    def file_bytes(self) -> int:
        """Of all files that the images are in; one of several frames counts once."""
        return sum(entry.file_size for entry in self._source.entries if entry.frame == 0)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What the source held besides, each with a reason."""
        return self._source.skipped

    @property
    def fingerprint(self) -> str:
        """A short name for what is in the stack; the same images make the same one, and it gives access to nothing."""
        return self._fingerprint

    @property
    def progress(self) -> Progress:
        """Images decoded so far, broken ones included."""
        return Progress(self._prepared, len(self))

    def find(self, filename: str) -> int:
        """Position of ``filename``: its path in the source, or its base name where only one image has it.

        Raises:
            ImageNotFound: no image, or more than one, goes by that name.
        """
        index = self._by_name.get(filename)
        if index is None:
            index = self._by_base_name.get(filename)
        if index is None:
            raise ImageNotFound("File not found")
        return index

    def check(self, index: int) -> None:
        """Raise ImageNotFound where there is no such position."""
        if not 0 <= index < len(self):
            raise ImageNotFound(f"This stack has images 0 to {len(self) - 1}; there is no image {index}.")

    def check_readable(self, index: int) -> None:
        """Raise the ImageError of a prepared image that cannot be read."""
        if index in self._errors:
            kind, sentence = self._errors[index]
            raise kind(sentence)

    def original(self, index: int) -> bytes:
        """The file as it was uploaded.

        Raises:
            ImageNotFound: no such position.
            ImageError: it is damaged where it is kept.
        """
        self.check(index)
        return self._source.read(index)

    def as_file(self, index: int) -> tuple[str, bytes]:
        """Name and bytes of the image by itself, as uploaded: to be passed on.

        A PNG of what is shown where its file holds several images, is not called as such files are, or names people.

        Raises:
            ImageNotFound, ImageError: as for ``picture``.
        """
        self.check(index)
        entry = self.entries[index]
        if format_of_name(entry.name) is entry.format and not entry.format.names_people:
            return entry.name, self.original(index)
        return f"{entry.name}.png", to_picture(self.rgb(index)).content

    def file(self, index: int) -> FileReader:
        """The same, to read parts of.

        Raises:
            ImageNotFound: no such position.
        """
        self.check(index)
        return self._source.file(index)

    def picture(self, index: int) -> Picture:
        """What any browser shows as the model sees it: the file without what its pixels do not need, or a new one.

        Raises:
            ImageNotFound, ImageError: as for ``original``, and for an image that cannot be decoded.
        """
        self.check(index)
        self.check_readable(index)
        entry = self.entries[index]
        if shown := for_browsers(entry.format, entry.header):
            return Picture(shown.for_browser(self._source.file(index), entry.frame), entry.format.media_type)
        return to_picture(pixels.shown(self.values(index), entry.header))

    def values(self, index: int, at_least: Size | None = None) -> Pixels:
        """The samples of an image, ``[H, W, C]``, as decoding returns them: 16-bit values are not scaled.

        Where ``at_least`` this width and height are enough, a smaller image may be given.

        Raises:
            ImageNotFound, ImageError: as for ``picture``.
        """
        self.check(index)
        entry, limit = self.entries[index], self._settings.max_pixels
        return entry.format.decode(self._source.file(index), entry.frame, max_pixels=limit, at_least=at_least)

    def values_in_strips(self, index: int, strip_pixels: int = strips.STRIP_PIXELS) -> Iterator[Pixels]:
        """The same from top to bottom, for large images; ends early where the stack is deleted.

        Raises:
            ImageNotFound, ImageError: as for ``picture``; after the last strip at the latest.
            StackNotFound: the stack was deleted meanwhile.
        """
        self.check(index)
        entry, file = self.entries[index], self._source.file(index)
        limit = self._settings.max_pixels
        for strip in strips.read_strips(entry.format, file, entry.frame, max_pixels=limit, strip_pixels=strip_pixels):
            if self._deleted:
                raise _closed()
            yield strip

    def rgb_in_strips(self, index: int, strip_pixels: int = strips.STRIP_PIXELS) -> Iterator[NDArray[np.uint8]]:
        """A large image as the model sees it, uint8 ``[h, W, 3]`` from top to bottom.

        Raises:
            ImageNotFound, ImageError, StackNotFound: as for ``values_in_strips``.
        """
        header = self.entries[index].header
        if index not in self._ranges:
            self._ranges[index] = strips.value_range(self.values_in_strips(index), header)
        return strips.shown(self.values_in_strips(index, strip_pixels), header, self._ranges[index])

    def rgb(self, index: int, at_least: Size | None = None) -> NDArray[np.uint8]:
        """An image as it is shown and as the model sees it, uint8 ``[H, W, 3]``; ``at_least`` as for ``values``.

        Raises:
            ImageNotFound, ImageError: as for ``picture``.
        """
        return pixels.shown(self.values(index, at_least), self.entries[index].header)

    def thumbnail(self, index: int) -> bytes:
        """A small JPEG of the image, made at once if it is not there yet.

        Raises:
            ImageNotFound, ImageError: as for ``picture``.
        """
        self.prepare(index, Priority.VISIBLE).result()
        self.check_readable(index)
        return self._thumbnails.read(index)

    def error(self, index: int) -> str | None:
        """Why a prepared image cannot be read; None for one that can be."""
        return self._errors[index][1] if index in self._errors else None

    def inputs(self, preprocessing: Preprocessing = STANDARD) -> ModelInputs:
        """The model inputs that ``preprocessing`` makes of the images; none is made before it is asked for.

        Raises:
            QuotaExceeded, TooManyStacks, DiskFull: there is no room for inputs beside those that are there.
            StackNotFound: the stack was deleted before anybody asked for these.
        """
        with self._lock:
            kept = self._inputs.get(preprocessing.pixel_key)
            if kept is None:
                if self._deleted:
                    raise _closed()
                self._grow(len(self) * input_bytes(preprocessing))
                kept = _Inputs(preprocessing, RowFile(self._folder, preprocessing.input_shape))
                self._inputs[preprocessing.pixel_key] = kept
        return ModelInputs(
            preprocessing, lambda index, priority: self._prepare_for(kept, index, priority), kept.rows.read_into
        )

    def new_rows(self, shape: tuple[int, ...], dtype: DTypeLike) -> RowFile:
        """A file for an array of each image, for whoever computes one; ``reserve`` gives its room back.

        Raises:
            QuotaExceeded, TooManyStacks, DiskFull, StackNotFound: as ``inputs``.
        """
        with self._lock:
            if self._deleted:
                raise _closed()
            count = len(self) * row_bytes(shape, dtype)
            self._grow(count)
            return RowFile(self._folder, shape, dtype)

    def reserve(self, count: int) -> None:
        """Count ``count`` bytes on disk towards the share of the stack's client; a negative count gives them back.

        Raises:
            QuotaExceeded, TooManyStacks, DiskFull: there is no room for them.
        """
        self._grow(count)

    def prepare(self, index: int, priority: Priority) -> Job:
        """Have an image's thumbnail and default model input made, unless they were; see ``ModelInputs.prepare``."""
        return self._prepare_for(self._default, index, priority)

    def prepare_ahead(self, indices: Iterable[int]) -> Iterator[tuple[int, Job]]:
        """See ``ModelInputs.prepare_ahead``; of the default inputs."""
        return self.inputs(self._default.preprocessing).prepare_ahead(indices)

    def start_ingest(self) -> None:
        """Decode all images in the background, a few at a time so that several stacks take turns."""
        lanes = 2 * self._settings.decode_workers
        for lane in range(lanes):
            _ingest_lane(weakref.ref(self), iter(range(lane, len(self), lanes)))

    def mark_deleted(self) -> None:
        """Begin no new decoding; whoever waits for an image that is not begun gets StackNotFound."""
        with self._lock:
            self._deleted = True
            jobs = [job for kept in self._inputs.values() for job in kept.jobs.values() if not job.done()]
        for job in jobs:
            job.fail(_closed())

    def _prepare_for(self, kept: _Inputs, index: int, priority: Priority) -> Job:
        self.check(index)
        with self._lock:
            job = kept.jobs.get(index)
            if job is None:
                if self._deleted:
                    raise _closed()
                entry = self.entries[index]
                enough = self._enough(kept, entry)
                memory = preparing_bytes(entry.format, entry.header, entry.file_size, enough)
                cost = whole_bytes(entry.header, entry.file_size)
                job = Job(lambda: self._make(kept, index), memory=memory, cost=cost, client=self._client)
                kept.jobs[index] = job
        return self._pool.submit(job, priority)

    def _make(self, kept: _Inputs, index: int) -> None:
        try:
            self._write(kept, index)
        except ImageError as error:
            self._errors[index] = (type(error), str(error))
        except DiskFull:
            with self._lock:
                del kept.jobs[index]  # whoever asks next tries again
            raise
        if kept is self._default:
            with self._lock:
                self._prepared += 1

    def _write(self, kept: _Inputs, index: int) -> None:
        entry, side = self.entries[index], self._settings.thumbnail_side
        enough = self._enough(kept, entry)
        size = entry.header.width, entry.header.height
        if strips.is_large(decoded(entry.format, entry.header, enough)):
            thumbnail, model_input = strips.to_thumbnail_and_model_input(
                self.rgb_in_strips(index), size, side, kept.preprocessing
            )
        elif kept is self._default:
            rgb = self.rgb(index, enough)
            thumbnail, model_input = pixels.to_thumbnail_and_model_input(rgb, side, kept.preprocessing, size)
        else:
            thumbnail = b""
            rgb = self.rgb(index, enough)
            model_input = pixels.to_model_input(rgb, kept.preprocessing, size)
        if kept is self._default:
            self._thumbnails.write(index, thumbnail)
        kept.rows.write(index, model_input)

    def _enough(self, kept: _Inputs, entry: Entry) -> Size:
        """The width and height from which what is kept of an image can be made."""
        side = self._settings.thumbnail_side if kept is self._default else 0
        return pixels.enough((entry.header.width, entry.header.height), kept.preprocessing, side)


def input_bytes(preprocessing: Preprocessing) -> int:
    """What the model input of one image takes on disk."""
    return int(np.prod(preprocessing.input_shape))


def prepared_bytes(images: int, preprocessing: Preprocessing = STANDARD) -> int:
    """What thumbnails and default model inputs of so many images take on disk."""
    return images * (input_bytes(preprocessing) + THUMBNAIL_BYTES)


def _closed() -> StackNotFound:
    return StackNotFound("This stack has been closed. Upload it again to go on.")


def _ingest_lane(reference: weakref.ref[ImageStack], indices: Iterator[int]) -> None:
    """Submit the next undecoded image of one lane; its end submits the one after. A deleted stack ends the lane."""
    stack = reference()
    if stack is None:
        return
    for index in indices:
        try:
            job = stack.prepare(index, Priority.INGEST)
        except StackNotFound:
            return
        if not job.done():
            job.add_done_callback(lambda _: _ingest_lane(reference, indices))
            return
