"""A TAR file, read at positions and never extracted; a compressed one is unpacked once, into a file without a name.

Opening reads the headers and the first bytes of every image. TAR has no checksums of what it holds: a damaged image is
found by its format. Names are only labels, and nothing but whole files is looked at.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from core.base.errors import ArchiveError, LimitExceeded
from core.base.settings import MIB, Settings
from core.images.formats.format import FileReader
from core.stacks.sources._decompress import Compression, compression_of
from core.stacks.sources._tar_headers import BLOCK, Member, is_header, members
from core.stacks.sources.rules import Candidate, Refusal, select
from core.stacks.sources.source import Scratch, Source
from core.stacks.sources.span import Span

_RATIO_CHECK_BYTES = MIB  # smaller archives are harmless at any ratio

_SPECIAL = Refusal("special_file", "A link or a device and not an image; pack the image itself.")
_SPARSE = Refusal("unsupported_compression", "Packed as a file with holes; pack it without “--sparse”.")


class TarSource(Source):
    """The images of a TAR."""

    def __init__(self, archive: io.FileIO, settings: Settings) -> None:
        """Index ``archive``, which is closed with the source, or where it is refused."""
        self._archive = archive
        self._whole = object()
        places: list[tuple[int, int]] = []
        try:
            selection = select(_candidates(archive, self._whole, places, settings), settings)
        except BaseException:
            archive.close()
            raise
        self._places = [places[place] for place in selection.places]
        self.entries = selection.entries
        self.skipped = selection.skipped

    def file(self, index: int) -> FileReader:
        """See ``Source.file``."""
        return Span(self._archive, self._whole, *self._places[index])

    def close(self) -> None:
        """See ``Source.close``."""
        self._archive.close()


class _Tar:
    """TAR as one of the kinds of source."""

    name = "TAR archive"

    def matches(self, path: Path) -> bool:
        """By the first header, in a compressed one too: the same compressions hold other things as well."""
        with path.open("rb", buffering=0) as file:
            head = file.read(BLOCK)
            compression = compression_of(head)
            if compression is None:
                return is_header(head)
            file.seek(0)
            try:
                return is_header(_first_block(compression, file))
            except ArchiveError:
                return True  # so that ``open`` says what is wrong

    def open(self, path: Path, settings: Settings, scratch: Scratch) -> Source:
        """See ``SourceKind.open``."""
        archive = path.open("rb", buffering=0)
        compression = compression_of(archive.read(BLOCK))
        if compression is None:
            return TarSource(archive, settings)
        archive.seek(0)
        with archive:
            return TarSource(_unpack(archive, compression, settings, scratch), settings)


SOURCE = _Tar()


def _first_block(compression: Compression, file: io.FileIO) -> bytes:
    block = b""
    for piece in compression.pieces(file.read):
        block += piece[: BLOCK - len(block)]
        if len(block) == BLOCK:
            break
    return block


def _unpack(archive: io.FileIO, compression: Compression, settings: Settings, scratch: Scratch) -> io.FileIO:
    """A file without a name that holds what ``archive`` does.

    Raises:
        LimitExceeded: it unpacks to more than ``settings`` allow, in all or for its size.
        ArchiveError: as for ``Compression.pieces``.
        TooManyStacks, QuotaExceeded, DiskFull: there is no room for it.
    """

    def within_limits() -> Iterator[bytes]:
        size = 0
        for piece in compression.pieces(archive.read):
            size += len(piece)
            _check(size, archive.tell(), settings)
            yield piece

    return scratch.keep(within_limits())


def _check(unpacked: int, packed: int, settings: Settings) -> None:
    """Hold what has been unpacked so far against the limits; ``packed`` bytes of the archive have been read for it."""
    # Headers and what fills up the last block of each file come on top of the files.
    if unpacked > settings.max_total_bytes + 2 * BLOCK * settings.max_entries:
        raise LimitExceeded(
            f"The TAR takes more than {settings.max_total_bytes / MIB:,.1f} MiB after decompression. Split it into "
            "smaller archives."
        )
    if unpacked > max(_RATIO_CHECK_BYTES, settings.max_compression_ratio * packed):
        raise LimitExceeded("The TAR is compressed far more than real images can be; export them again.")


def _candidates(
    archive: io.FileIO, whole: object, places: list[tuple[int, int]], settings: Settings
) -> Iterator[Candidate]:
    """All files; where each one is, is added to ``places``."""
    for member in members(archive, settings):
        places.append((member.start, member.size))
        file = Span(archive, whole, member.start, member.size)
        yield Candidate(member.path, member.size, file, _refuse(member))


def _refuse(member: Member) -> Refusal | None:
    """What keeps a file from being read, as far as its header tells."""
    if not member.is_regular:
        return _SPECIAL
    return _SPARSE if member.is_sparse else None
