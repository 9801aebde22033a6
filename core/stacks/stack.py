"""An image stack: the images of a source, and what was computed from each of them once."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from core.base.errors import DiskFull, ImageError, QuotaExceeded, StackNotFound, TooManyStacks
from core.base.settings import Settings
from core.base.workers import PoolJob, Priority, WorkerPool
from core.images import pixels, strips
from core.images.display import Picture
from core.images.formats.format import Pixels, Size, decoded_header
from core.images.memory import preparing_bytes, whole_bytes
from core.images.pixels import RangeOf
from core.images.preprocessing import STANDARD, Preprocessing
from core.stacks.images import SourceImages
from core.stacks.inputs import ModelInputs
from core.stacks.scratch import BlobFile, RowFile, row_bytes
from core.stacks.sources.source import Entry, Source

THUMBNAIL_BYTES = 13_000  # on disk, for a photo


@dataclass(frozen=True, slots=True)
class DecodingProgress:
    """How far the background decoding of a stack is."""

    done: int
    total: int


@dataclass(slots=True)
class _Inputs:
    """The model inputs of one preprocessing and choice of range, and the jobs that make them.

    Those of the default preprocessing come with thumbnails.
    """

    preprocessing: Preprocessing
    range_of: RangeOf
    rows: RowFile
    thumbnails: BlobFile | None = None
    jobs: dict[int, PoolJob] = field(default_factory=dict)


class ImageStack(SourceImages):
    """One person's images. Thumbnail and model input of an image are made in one decode, and kept.

    Models that take other inputs than the default ones have theirs made when they are first asked for, once too; see
    ``inputs``. All methods are safe to call from several threads. Nothing here closes a file explicitly: a deleted
    stack's files are unlinked, and stay readable for whoever still works with the object. What is made for either
    choice of ``range_of`` is kept apart.
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
        super().__init__(source, settings)
        self.id = stack_id
        self.name = name
        self.opened = time.time()
        self._folder = folder
        self._pool = pool
        self._client = client
        self._grow = grow
        self._default = _Inputs(preprocessing, "image", RowFile(folder, preprocessing.input_shape), BlobFile(folder))
        self._inputs: dict[tuple[str, RangeOf], _Inputs] = {(preprocessing.pixel_key, "image"): self._default}
        # Kind and sentence: an exception object would keep its traceback, and with it the image's bytes.
        self._errors: dict[int, tuple[type[ImageError], str]] = {}
        self._lock = threading.Lock()
        self._prepared = 0
        self._deleted = False

    def picture(self, index: int, range_of: RangeOf | None = None) -> Picture:
        """As ``SourceImages.picture``; of an image that is known as broken, its error at once."""
        self.check(index)
        self.check_readable(index)
        return super().picture(index, range_of)

    def values_in_strips(self, index: int, strip_pixels: int = strips.STRIP_PIXELS) -> Iterator[Pixels]:
        """As ``SourceImages.values_in_strips``; ends early where the stack is deleted.

        Raises:
            StackNotFound: the stack was deleted meanwhile.
        """
        for strip in super().values_in_strips(index, strip_pixels):
            if self._deleted:
                raise _closed()
            yield strip

    @property
    def progress(self) -> DecodingProgress:
        """Images decoded so far, broken ones included."""
        return DecodingProgress(self._prepared, len(self))

    def check_readable(self, index: int) -> None:
        """Raise the ImageError of a prepared image that cannot be read."""
        if index in self._errors:
            kind, sentence = self._errors[index]
            raise kind(sentence)

    def thumbnail(self, index: int, range_of: RangeOf | None = None) -> bytes:
        """A small JPEG of the image, made at once if it is not there yet.

        Raises:
            ImageNotFound, ImageError, RangeUnknown: as for ``rgb``.
        """
        self.prepare(index, Priority.VISIBLE, range_of).result()
        self.check_readable(index)
        kept = self._kept_for(self._default.preprocessing, index, range_of or self.range_of)
        assert kept.thumbnails is not None  # noqa: S101 - the default preprocessing has them
        return kept.thumbnails.read(index)

    def error(self, index: int) -> str | None:
        """Why a prepared image cannot be read; None for one that can be."""
        return self._errors[index][1] if index in self._errors else None

    def inputs(self, preprocessing: Preprocessing = STANDARD, range_of: RangeOf | None = None) -> ModelInputs:
        """The model inputs that ``preprocessing`` makes of the images; none is made before it is asked for.

        They stay those of one choice of ``range_of``, whatever is chosen for the stack later.

        Raises:
            QuotaExceeded, TooManyStacks, DiskFull: there is no room for inputs beside those that are there.
            StackNotFound: the stack was deleted before anybody asked for these.
            RangeUnknown: that of the stack is not known yet.
        """
        chosen = range_of or self.range_of
        if chosen == "stack":
            self.range.check_known()
        by_image = self._inputs_of(preprocessing, "image")
        by_stack = by_image if chosen == "image" or not self.range.images else self._inputs_of(preprocessing, "stack")

        def kept(index: int) -> _Inputs:
            self.check(index)
            return by_stack if pixels.is_scaled(self.entries[index].header) else by_image

        return ModelInputs(
            preprocessing,
            lambda index, priority: self._prepare_for(kept(index), index, priority),
            lambda index, out: kept(index).rows.read_into(index, out),
            lambda index: chosen if pixels.is_scaled(self.entries[index].header) else None,
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

    def prepare(self, index: int, priority: Priority, range_of: RangeOf | None = None) -> PoolJob:
        """Have an image's thumbnail and default model input made, unless they were; see ``ModelInputs.prepare``."""
        return self._prepare_for(
            self._kept_for(self._default.preprocessing, index, range_of or self.range_of), index, priority
        )

    def prepare_ahead(self, indices: Iterable[int]) -> Iterator[tuple[int, PoolJob]]:
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

    def _kept_for(self, preprocessing: Preprocessing, index: int, range_of: RangeOf) -> _Inputs:
        """Where what is made of an image is kept: choices differ only in images that are scaled."""
        self.check(index)
        if range_of == "stack" and pixels.is_scaled(self.entries[index].header):
            self.range.check_known()
            return self._inputs_of(preprocessing, "stack")
        return self._inputs_of(preprocessing, "image")

    def _inputs_of(self, preprocessing: Preprocessing, range_of: RangeOf) -> _Inputs:
        key = (preprocessing.pixel_key, range_of)
        with self._lock:
            kept = self._inputs.get(key)
            if kept is None:
                if self._deleted:
                    raise _closed()
                is_default = preprocessing.pixel_key == self._default.preprocessing.pixel_key
                each = input_bytes(preprocessing) + (THUMBNAIL_BYTES if is_default else 0)
                self._grow(len(self) * each)
                thumbnails = BlobFile(self._folder) if is_default else None
                rows = RowFile(self._folder, preprocessing.input_shape)
                kept = self._inputs[key] = _Inputs(preprocessing, range_of, rows, thumbnails)
            return kept

    def _prepare_for(self, kept: _Inputs, index: int, priority: Priority) -> PoolJob:
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
                job = PoolJob(lambda: self._make(kept, index), memory=memory, cost=cost, client=self._client)
                kept.jobs[index] = job
        return self._pool.submit(job, priority)

    def _make(self, kept: _Inputs, index: int) -> None:
        try:
            self._write(kept, index)
        except ImageError as error:
            self._errors[index] = (type(error), str(error))
            self.range.leave_out(index)
        except (DiskFull, QuotaExceeded, TooManyStacks):
            with self._lock:
                del kept.jobs[index]  # whoever asks next tries again
            raise
        if kept is self._default:
            with self._lock:
                self._prepared += 1

    def _write(self, kept: _Inputs, index: int) -> None:
        entry, side = self.entries[index], self._settings.thumbnail_side
        enough, grey = self._enough(kept, entry), entry.header.is_grey
        size = entry.header.width, entry.header.height
        if strips.is_large(decoded_header(entry.format, entry.header, enough)):
            thumbnail, model_input = strips.to_thumbnail_and_model_input(
                self.rgb_in_strips(index, range_of=kept.range_of), size, side, kept.preprocessing
            )
        elif kept.thumbnails is not None:
            rgb = self.rgb(index, enough, kept.range_of)
            thumbnail, model_input = pixels.to_thumbnail_and_model_input(rgb, side, kept.preprocessing, size, grey=grey)
        else:
            thumbnail = b""
            rgb = self.rgb(index, enough, kept.range_of)
            model_input = pixels.to_model_input(rgb, kept.preprocessing, size, grey=grey)
        if kept.thumbnails is not None:
            kept.thumbnails.write(index, thumbnail)
        kept.rows.write(index, model_input)

    def _enough(self, kept: _Inputs, entry: Entry) -> Size:
        """The width and height from which what is kept of an image can be made; its own range is that of all of it."""
        size = entry.header.width, entry.header.height
        if kept.range_of == "image" and pixels.is_scaled(entry.header):
            return size
        side = 0 if kept.thumbnails is None else self._settings.thumbnail_side
        return pixels.enough(size, kept.preprocessing, side)


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
            job = stack.prepare(index, Priority.INGEST, "image")
        except StackNotFound:
            return
        if not job.done():
            job.add_done_callback(lambda _: _ingest_lane(reference, indices))
            return
