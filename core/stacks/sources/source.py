"""What a source of images is to everything else: entries, what was left out, and the bytes of each file."""

from __future__ import annotations

import io
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, overload

from core.base.disk import disk_errors, write_at
from core.base.settings import MIB, Settings
from core.images.formats.format import FileReader, ImageFormat, ImageHeader

_GRANT_BYTES = MIB  # quota and free space are looked at once for so much


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of a source.

    ``name`` is its path with ``/`` separators, unique in the source. ``file_size`` is the bytes of the file it is in,
    and ``frame`` its position there; a file of several frames makes an entry of each.
    """

    name: str
    format: ImageFormat
    header: ImageHeader
    file_size: int
    frame: int = 0


@dataclass(frozen=True, slots=True)
class Skipped:
    """One file of a source that is left out: a stable code for programs, a sentence for people."""

    name: str
    code: str
    reason: str


Row = tuple[str, int, int, int]
"""An entry as it is kept: name, size of its file, number of its kind, frame."""


class Kinds:
    """The formats and headers that occur in a source, each kept once: most images are like others."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ImageHeader], int] = {}
        self._kinds: list[tuple[ImageFormat, ImageHeader]] = []

    def number(self, image_format: ImageFormat, header: ImageHeader) -> int:
        """The number of a frame's kind: its format, and its header without what is in its name and its order."""
        if header.label or header.place:
            header = replace(header, label="", place=())
        number = self._numbers.setdefault((image_format.name, header), len(self._kinds))
        if number == len(self._kinds):
            self._kinds.append((image_format, header))
        return number

    def image_format(self, number: int) -> ImageFormat:
        """The format of a kind."""
        return self._kinds[number][0]

    def header(self, number: int) -> ImageHeader:
        """The header of a kind."""
        return self._kinds[number][1]


class Entries(Sequence[Entry]):
    """The images of a source, made as they are looked at.

    Objects that stay are looked through by every full garbage collection, in which nobody else's request goes on:
    50 ms for two stacks of 20,000 entries. Tuples of text and numbers are not.
    """

    def __init__(self, rows: Sequence[Row], kinds: Kinds) -> None:
        self._rows = rows
        self._kinds = kinds

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> Entries: ...

    def __getitem__(self, index: int | slice) -> Entry | Entries:
        if isinstance(index, slice):
            return Entries(self._rows[index], self._kinds)
        return self._entry(self._rows[index])

    def __iter__(self) -> Iterator[Entry]:
        return map(self._entry, self._rows)

    def _entry(self, row: Row) -> Entry:
        name, size, kind, frame = row
        return Entry(name, self._kinds.image_format(kind), self._kinds.header(kind), size, frame)


class Source(ABC):
    """Images in natural order of their names, those of a series by their place, and the files that are ``skipped``.

    Threads may read at the same time.
    """

    entries: Sequence[Entry]
    skipped: tuple[Skipped, ...]

    @abstractmethod
    def file(self, index: int) -> FileReader:
        """The file that ``entries[index]`` is in."""

    def read(self, index: int) -> bytes:
        """All bytes of that file.

        Raises:
            ImageError: it is damaged where it is kept.
            ValueError: the source is closed.
        """
        return self.file(index).read()

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open; no thread may be reading."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Scratch:
    """Where a source may keep what it unpacks, in files without a name.

    ``grow`` is told of bytes before they are written, and raises where there is no room for them; a negative count
    gives room back.
    """

    folder: Path
    grow: Callable[[int], None] = lambda count: None

    def keep(self, pieces: Iterable[bytes]) -> io.FileIO:
        """A new file of ``pieces``, one after the other, to be read by position; there is none where that fails.

        Raises:
            TooManyStacks, QuotaExceeded, DiskFull: there is no room for it.
        """
        with disk_errors():
            file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115 - whoever asks for it closes it
        assert isinstance(file, io.FileIO)  # noqa: S101 - without a buffer it is
        size, granted = 0, 0
        try:
            for piece in pieces:
                while size + len(piece) > granted:
                    self.grow(_GRANT_BYTES)
                    granted += _GRANT_BYTES
                write_at(file.fileno(), piece, size)
                size += len(piece)
        except BaseException:
            file.close()
            self.grow(-granted)
            raise
        self.grow(size - granted)
        return file


class SourceKind(Protocol):
    """One kind of source. To add one: a module in this package with such an object called ``SOURCE``.

    Attributes:
        name: what people call it, such as ``"ZIP archive"``.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    def matches(self, path: Path) -> bool:
        """Whether what is at ``path`` is of this kind, by its content; damaged ones included, to say what is wrong."""
        ...

    def open(self, path: Path, settings: Settings, scratch: Scratch) -> Source:
        """Index what is at ``path``, which must stay there until ``Source.close``.

        Raises:
            ArchiveError: it is unusable, holds nothing to show, or passes a limit of ``settings``.
            TooManyStacks, QuotaExceeded, DiskFull: ``scratch`` has no room for what must be unpacked.
        """
        ...
