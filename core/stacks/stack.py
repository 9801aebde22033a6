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
from core.images.pixels import RangeOf
from core.images.preprocessing import STANDARD, Preprocessing
from core.stacks.inputs import ModelInputs
from core.stacks.ranges import StackRange
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
    """The model inputs of one preprocessing and choice of range, and the jobs that make them.

    Those of the default preprocessing come with thumbnails.
    """

    preprocessing: Preprocessing
    range_of: RangeOf
    rows: RowFile
    thumbnails: BlobFile | None = None
    jobs: dict[int, Job] = field(default_factory=dict)


class ImageStack:
    """One person's images. Thumbnail and model input of an image are made in one decode, and kept.

    Models that take other inputs than the default ones have theirs made when they are first asked for, once too; see
    ``inputs``. All methods are safe to call from several threads. Nothing here closes a file explicitly: a deleted
    stack's files are unlinked, and stay readable for whoever still works with the object.

    ``range_of`` is what images are scaled by where nobody says another choice; see ``choose_range``. ``range`` is that
    of the whole stack. What is made for either choice is kept apart.
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
        self._default = _Inputs(preprocessing, "image", RowFile(folder, preprocessing.input_shape), BlobFile(folder))
        self._inputs: dict[tuple[str, RangeOf], _Inputs] = {(preprocessing.pixel_key, "image"): self._default}
        self.range_of: RangeOf = "image"
        self.range = StackRange(len(source.entries))
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
            if pixels.is_scaled(entry.header):
                self.range.expect(index)
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
        return f"{entry.name}.png", to_picture(self.rgb(index), grey=entry.header.is_grey).content

    def file(self, index: int) -> FileReader:
        """The same, to read parts of.

        Raises:
            ImageNotFound: no such position.
        """
        self.check(index)
        return self._source.file(index)

    def choose_range(self, range_of: RangeOf) -> None:
        """What images are scaled by from now on; runs that have begun go on as they began.

        Raises:
            RangeUnknown: that of the whole stack is not known yet.
        """
        if range_of == "stack":
            self.range.check_known()
        self.range_of = range_of

    def picture(self, index: int, range_of: RangeOf | None = None) -> Picture:
        """What any browser shows as the model sees it: the file without what its pixels do not need, or a new one.

        Raises:
            ImageNotFound, ImageError: as for ``original``, and for an image that cannot be decoded.
        """
        self.check(index)
        self.check_readable(index)
        entry = self.entries[index]
        if shown := for_browsers(entry.format, entry.header):
            return Picture(shown.for_browser(self._source.file(index), entry.frame), entry.format.media_type)
        return to_picture(self.rgb(index, range_of=range_of), grey=entry.header.is_grey)

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

    def rgb_in_strips(
        self, index: int, strip_pixels: int = strips.STRIP_PIXELS, range_of: RangeOf | None = None
    ) -> Iterator[NDArray[np.uint8]]:
        """A large image as the model sees it, uint8 ``[h, W, 3]`` from top to bottom.

        Raises:
            ImageNotFound, ImageError, StackNotFound, RangeUnknown: as for ``values_in_strips`` and ``rgb``.
        """
        header = self.entries[index].header
        if not pixels.is_scaled(header):
            values = strips.value_range(iter(()), header)
        elif (range_of or self.range_of) == "stack":
            values = self.range.of(header.dtype)
        else:
            if index not in self._ranges:
                low, high = strips.visible_values(self.values_in_strips(index))
                self._ranges[index] = pixels.scalable(low, high, header.dtype)
                self.range.add(index, header.dtype, low, high)
            values = self._ranges[index]
        return strips.shown(self.values_in_strips(index, strip_pixels), header, values)

    def rgb(self, index: int, at_least: Size | None = None, range_of: RangeOf | None = None) -> NDArray[np.uint8]:
        """An image as it is shown and as the model sees it, uint8 ``[H, W, 3]``; ``at_least`` as for ``values``.

        Its own range of values is that of the full size, so that is decoded where it counts.

        Raises:
            ImageNotFound, ImageError: as for ``picture``.
            RangeUnknown: that of the stack is not known yet.
        """
        header, range_of = self.entries[index].header, range_of or self.range_of
        if not pixels.is_scaled(header):
            return pixels.shown(self.values(index, at_least), header)
        if range_of == "stack":
            values = self.range.of(header.dtype)  # before anything is decoded: it may not be known
            return pixels.shown(self.values(index, at_least), header, values)
        samples = self.values(index)
        low, high = pixels.visible_values(samples)
        self.range.add(index, header.dtype, low, high)
        return pixels.shown(samples, header, pixels.scalable(low, high, header.dtype))

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

    def prepare(self, index: int, priority: Priority, range_of: RangeOf | None = None) -> Job:
        """Have an image's thumbnail and default model input made, unless they were; see ``ModelInputs.prepare``."""
        return self._prepare_for(
            self._kept_for(self._default.preprocessing, index, range_of or self.range_of), index, priority
        )

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
            self.range.leave_out(index)
        except DiskFull:
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
        if strips.is_large(decoded(entry.format, entry.header, enough)):
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
