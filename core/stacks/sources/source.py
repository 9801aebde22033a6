"""What a source of images is to everything else: entries, what was left out, and the bytes of each file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from core.base.settings import Settings
from core.images.formats.format import FileReader, ImageFormat, ImageHeader


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


class Source(ABC):
    """Images in natural order of their names, and the files ``skipped`` in the order of the source.

    Threads may read at the same time.
    """

    entries: tuple[Entry, ...]
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

    def open(self, path: Path, settings: Settings) -> Source:
        """Index what is at ``path``, which must stay there until ``Source.close``.

        Raises:
            ArchiveError: it is unusable, holds nothing to show, or passes a limit of ``settings``.
        """
        ...
