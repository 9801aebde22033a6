"""The images of a source: found by name, and read or decoded each time somebody asks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ImageNotFound
from core.base.giving_way import giving_way
from core.base.settings import Settings
from core.images import pixels, strips
from core.images.display import Picture, to_picture
from core.images.formats import format_of_name
from core.images.formats.format import FileReader, Pixels, Size, for_browsers
from core.images.pixels import RangeOf
from core.stacks.ranges import StackRange
from core.stacks.sources.source import Entry, Skipped, Source


class SourceImages:
    """What a stack's images are without anything that was made of them before; safe to use from any thread.

    ``range_of`` is what images are scaled by where nobody says another choice; see ``choose_range``. ``range`` is that
    of the whole stack.
    """

    def __init__(self, source: Source, settings: Settings) -> None:
        """Index ``source``; nothing is decoded yet, and nothing here closes it."""
        self._source = source
        self._settings = settings
        self.range_of: RangeOf = "image"
        self.range = StackRange(len(source.entries))
        self._ranges: dict[int, pixels.ValueRange] = {}  # of large images, which take a pass to find them
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
        """The same from top to bottom, for large images.

        Raises:
            ImageNotFound, ImageError: as for ``picture``; after the last strip at the latest.
        """
        self.check(index)
        entry, file = self.entries[index], self._source.file(index)
        limit = self._settings.max_pixels
        yield from strips.read_strips(entry.format, file, entry.frame, max_pixels=limit, strip_pixels=strip_pixels)

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
