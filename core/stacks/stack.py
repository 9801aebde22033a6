"""An image stack: a ZIP kept as it came, an index of its images, and what was computed from each of them once."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from core.base.errors import DiskFull, ImageError, ImageNotFound, StackNotFound
from core.base.settings import MODEL_INPUT_SIDE, Settings
from core.base.workers import Job, Priority, WorkerPool
from core.images import pixels
from core.stacks.scratch import BlobFile, RowFile
from core.stacks.sources.zip import Archive, Entry, Skipped

# Images whose decoding is requested ahead of the one that is waited for: enough to keep every core busy, few enough
# that other people's requests in the shared pool are not kept waiting.
LOOKAHEAD = 32
# Larger images are decoded one at a time in the whole process: at the limit of 100 million pixels, one with 16 bits and
# transparency takes 1.6 GB for a moment.
HUGE_PIXELS = 16_000_000
_huge_image = threading.Lock()
MODEL_INPUT_SHAPE = (MODEL_INPUT_SIDE, MODEL_INPUT_SIDE, 3)
# What one prepared image takes on disk: its model input, and 13 kB for a photo's thumbnail.
PREPARED_BYTES = MODEL_INPUT_SIDE * MODEL_INPUT_SIDE * 3 + 13_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the background decoding of a stack is."""

    done: int
    total: int


class ImageStack:
    """One person's images. Every image is decoded at most once; its thumbnail and model input are kept.

    All methods are safe to call from several threads. Nothing here closes a file explicitly: a deleted stack's
    files are unlinked, and stay readable for whoever still works with the object.
    """

    def __init__(self, stack_id: str, name: str, archive: Archive, folder: Path, pool: WorkerPool, settings: Settings):
        self.id = stack_id
        self.name = name
        self._archive = archive
        self._pool = pool
        self._settings = settings
        self._inputs = RowFile(folder, MODEL_INPUT_SHAPE)
        self._thumbnails = BlobFile(folder)
        self._jobs: dict[int, Job] = {}
        # Kind and sentence: an exception object would keep its traceback, and with it the image's bytes.
        self._errors: dict[int, tuple[type[ImageError], str]] = {}
        self._lock = threading.Lock()
        self._prepared = 0
        self._deleted = False
        self._by_name = {entry.name: index for index, entry in enumerate(archive.entries)}
        self._by_base_name: dict[str, int | None] = {}
        for index, entry in enumerate(archive.entries):
            base = PurePosixPath(entry.name).name
            self._by_base_name[base] = index if base not in self._by_base_name else None
        listing = "\n".join(f"{entry.file_size} {entry.name}" for entry in archive.entries)
        self._fingerprint = hashlib.sha256(listing.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def __len__(self) -> int:
        return len(self._archive.entries)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The images in natural order of their names."""
        return self._archive.entries

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What the ZIP held besides, each with a reason."""
        return self._archive.skipped

    @property
    def fingerprint(self) -> str:
        """A short name for what is in the stack; the same images make the same one, and it gives access to nothing."""
        return self._fingerprint

    @property
    def progress(self) -> Progress:
        """Images decoded so far, broken ones included."""
        return Progress(self._prepared, len(self))

    def find(self, filename: str) -> int:
        """Position of ``filename``: its path in the archive, or its base name where only one image has it.

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

    def original(self, index: int) -> bytes:
        """The PNG file as it was uploaded.

        Raises:
            ImageNotFound: no such position.
            ImageError: the archive is damaged there.
        """
        self.check(index)
        return self._archive.read(index)

    def rendered(self, index: int) -> bytes:
        """A PNG any browser shows as the model sees it: without what its pixels do not need, 16-bit values scaled to 8.

        Raises:
            ImageNotFound, ImageError: as for ``original``, and for an image that cannot be decoded.
        """
        data = self.original(index)
        self._check_readable(index)
        if self.entries[index].header.bit_depth < 16:
            return pixels.strip(data)
        with self._room_for(index):
            return pixels.encode_png(pixels.to_rgb(pixels.decode(data, max_pixels=self._settings.max_pixels)))

    def values(self, index: int) -> pixels.Pixels:
        """The samples of an image, ``[H, W, C]``, as decoding returns them: 16-bit values are not scaled.

        Raises:
            ImageNotFound, ImageError: as for ``rendered``.
        """
        data = self.original(index)
        with self._room_for(index):
            return pixels.decode(data, max_pixels=self._settings.max_pixels)

    def thumbnail(self, index: int) -> bytes:
        """A small JPEG of the image, made at once if it is not there yet.

        Raises:
            ImageNotFound, ImageError: as for ``rendered``.
        """
        self.prepare(index, Priority.VISIBLE).result()
        self._check_readable(index)
        return self._thumbnails.read(index)

    def error(self, index: int) -> str | None:
        """Why a prepared image cannot be read; None for one that can be."""
        return self._errors[index][1] if index in self._errors else None

    def read_model_input(self, index: int, out: NDArray[np.uint8]) -> None:
        """Fill ``out`` (uint8 ``[224, 224, 3]``, C-contiguous) with the prepared model input of an image.

        The image must have been prepared, and not be broken: wait for the future of ``prepare``, then ask ``error``.
        """
        self._inputs.read_into(index, out)

    def prepare(self, index: int, priority: Priority) -> Job:
        """Have the image decoded, unless it was, and return the future; ``error`` then tells whether it is broken.

        Raises:
            ImageNotFound: no such position.
            StackNotFound: the stack was deleted before the image was decoded.

        The future raises ``DiskFull`` where there is no space for the result.
        """
        self.check(index)
        with self._lock:
            job = self._jobs.get(index)
            if job is None:
                if self._deleted:
                    raise StackNotFound("This stack has been closed. Upload it again to go on.")
                job = self._jobs[index] = Job(lambda: self._prepare(index))
        return self._pool.submit(job, priority)

    def prepare_ahead(self, indices: Iterable[int]) -> Iterator[tuple[int, Job]]:
        """Each image with the job that decodes it, in order, for a caller who waits for one after the other."""
        ahead: deque[tuple[int, Job]] = deque()
        for index in indices:
            ahead.append((index, self.prepare(index, Priority.RECOGNIZE)))
            if len(ahead) > LOOKAHEAD:
                yield ahead.popleft()
        yield from ahead

    def start_ingest(self) -> None:
        """Decode all images in the background, a few at a time so that several stacks take turns."""
        lanes = 2 * self._settings.decode_workers
        for lane in range(lanes):
            _ingest_lane(weakref.ref(self), iter(range(lane, len(self), lanes)))

    def mark_deleted(self) -> None:
        """Begin no new decoding."""
        self._deleted = True

    def _room_for(self, index: int) -> AbstractContextManager[object]:
        header = self.entries[index].header
        return _huge_image if header.width * header.height > HUGE_PIXELS else nullcontext()

    def _check_readable(self, index: int) -> None:
        if index in self._errors:
            kind, sentence = self._errors[index]
            raise kind(sentence)

    def _prepare(self, index: int) -> None:
        try:
            with self._room_for(index):
                rgb = pixels.to_rgb(pixels.decode(self._archive.read(index), max_pixels=self._settings.max_pixels))
                thumbnail, model_input = pixels.to_thumbnail_and_model_input(rgb, self._settings.thumbnail_side)
                self._thumbnails.write(index, thumbnail)
                self._inputs.write(index, model_input)
        except ImageError as error:
            self._errors[index] = (type(error), str(error))
        except DiskFull:
            with self._lock:
                del self._jobs[index]  # whoever asks next tries again
            raise
        with self._lock:
            self._prepared += 1


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
