"""Files that were sent by themselves: their bytes stand one after the other in one file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from core.base.errors import ArchiveEmpty
from core.base.settings import Settings
from core.images.formats.format import FileReader
from core.stacks.sources.names import is_archive
from core.stacks.sources.rules import Candidate, select
from core.stacks.sources.source import Source
from core.stacks.sources.span import Span

_ARCHIVES_ONLY = "Several files were sent, and none is an image. Send one archive at a time, or the images themselves."


class Part(NamedTuple):
    """One of the files: what it is called, where its bytes begin, and how many they are."""

    name: str
    start: int
    size: int


class PartsSource(Source):
    """The images among files that stand one after the other."""

    def __init__(self, path: Path, parts: Sequence[Part], settings: Settings) -> None:
        """Index the ``parts`` of the file at ``path``.

        Raises:
            ArchiveEmpty: none of them is an image.
            LimitExceeded: a file holds more images than ``settings.max_entries``.
        """
        self._file = path.open("rb", buffering=0)
        self._whole = object()
        try:
            selection = select(_candidates(self._file, self._whole, parts), settings)
        except BaseException as error:
            self._file.close()
            if isinstance(error, ArchiveEmpty) and len(parts) > 1 and any(is_archive(part.name) for part in parts):
                raise ArchiveEmpty(_ARCHIVES_ONLY) from error
            raise
        self._parts = [parts[place] for place in selection.places]
        self.entries = selection.entries
        self.skipped = selection.skipped

    def file(self, index: int) -> FileReader:
        """See ``Source.file``."""
        part = self._parts[index]
        return Span(self._file, self._whole, part.start, part.size)

    def close(self) -> None:
        """See ``Source.close``."""
        self._file.close()


def _candidates(file: io.FileIO, whole: object, parts: Sequence[Part]) -> Iterator[Candidate]:
    for part in parts:
        yield Candidate(part.name, part.size, Span(file, whole, part.start, part.size))
