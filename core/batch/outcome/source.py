"""The images of some rows, read where they lie: only below the folders that may be opened, and only unchanged ones.

A row whose image cannot be read stays with its answers, and a sentence in the place of the image.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath

from core.base.errors import ImageError
from core.base.held_folder import HeldFolder
from core.base.settings import MIB, Settings
from core.batch.outcome.rows import OutcomeRow
from core.images.formats import format_of_name, formats, why_unread
from core.images.formats.format import FileReader, ImageFormat, ImageHeader, check_size
from core.stacks.roots import StackRoots
from core.stacks.sources.folder import FilePlace, FolderFile
from core.stacks.sources.names import UniqueNames, tidy
from core.stacks.sources.rules import shown_name
from core.stacks.sources.source import Entries, Kinds, Row, Source

READERS = 8  # threads that look at files, which mostly wait for a disk
_CHANGED = "The file has changed since it was recognised. Run the job anew to have it recognised as it is now."
_ELSEWHERE = "The image is kept in a store that the app does not read; its answers are those of the job."
_IN_ARCHIVE = "The image lies in an archive. Open the archive itself to see it; its answers are those of the job."
_OUTSIDE = "The image is not in a folder that may be opened here, or behind a link. AISR_STACK_ROOTS names those."
_GONE = "The file is not there any more. Put it back, or run the job anew."
_NOT_READ = "The file may not be read by this program, or the disk it is on does not give it."
_NO_FRAME = "The file has fewer images than when it was recognised. Run the job anew."
_REASONS = {errno.ENOENT: _GONE, errno.ENOTDIR: _GONE, errno.ELOOP: _OUTSIDE}
_NOTHING = ImageHeader(1, 1, 8, "grey")  # of what is not there: nobody knows how large it was


@dataclass(frozen=True, slots=True)
class NoFile:
    """What is in the place of a file that is not read: a sentence."""

    reason: str
    size: int = 0
    key: Hashable = field(default_factory=object)

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        """See ``FileReader.read``.

        Raises:
            ImageError: always.
        """
        raise ImageError(self.reason)

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        """See ``FileReader.pieces``.

        Raises:
            ImageError: always.
        """
        raise ImageError(self.reason)


@dataclass(frozen=True, slots=True)
class _Image:
    image_format: ImageFormat
    header: ImageHeader
    file: FileReader


class OutcomeSource(Source):
    """The images of ``rows``, in their order."""

    in_name_order = False

    def __init__(self, rows: Sequence[OutcomeRow], origin: str, roots: StackRoots, settings: Settings) -> None:
        """Look at the files; none is decoded.

        Args:
            rows: each becomes an image, whatever is there.
            origin: the folder that the job was about, which names leave away.
            roots: below which files may be read.
            settings: the limits.
        """
        self._settings = settings
        self._held: dict[PurePosixPath, HeldFolder] = {}
        for root in roots.folders:
            with suppress(OSError):  # one that is not there has no files either
                self._held[PurePosixPath(root)] = HeldFolder(root)
        self.skipped = ()
        by_path: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            by_path.setdefault(row.path, []).append(place)
        images: dict[int, _Image] = {}
        with ThreadPoolExecutor(READERS, thread_name_prefix="outcome") as pool:
            for found in pool.map(lambda places: self._look([rows[place] for place in places]), by_path.values()):
                images.update(found)
        self._files = [images[row.number].file for row in rows]
        self.entries = _entries(rows, [images[row.number] for row in rows], origin)

    def file(self, index: int) -> FileReader:
        """See ``Source.file``."""
        return self._files[index]

    def close(self) -> None:
        """See ``Source.close``."""
        for held in self._held.values():
            held.close()

    def _look(self, rows: Sequence[OutcomeRow]) -> dict[int, _Image]:
        """The images of rows of one file, by the rows' numbers."""
        wanted = [row for row in rows if not (row.error or row.member)]
        headers: list[ImageHeader] = []
        reason = ""
        image_format: ImageFormat | None = None
        file: FileReader | None = None
        if wanted:
            try:
                image_format, file = self._open(wanted[0])
                most = max(row.frame for row in wanted) + 1
                for header in islice(image_format.read_headers(file), most):
                    check_size(header, self._settings.max_pixels)
                    headers.append(header)
            except ImageError as error:
                reason = str(error)
        found: dict[int, _Image] = {}
        for row in rows:
            if row in wanted and image_format is not None and file is not None and row.frame < len(headers):
                found[row.number] = _Image(image_format, headers[row.frame], file)
            else:
                sentence = row.error or (_IN_ARCHIVE if row.member else reason or _NO_FRAME)
                found[row.number] = _Image(formats()[0], _NOTHING, NoFile(shown_name(sentence)))
        return found

    def _open(self, row: OutcomeRow) -> tuple[ImageFormat, FileReader]:
        """A file, and its format.

        Raises:
            ImageError: it is not there, not as it was, or not to be read.
        """
        image_format = format_of_name(row.path)
        if image_format is None:
            raise ImageError(why_unread(row.path))
        file = self._unchanged(row)
        largest = self._settings.max_total_bytes if image_format.reads_parts else self._settings.max_entry_bytes
        if file.size > largest:
            raise ImageError(f"Larger than {largest / MIB:,.1f} MiB; make it smaller.")
        return image_format, file

    def _unchanged(self, row: OutcomeRow) -> FolderFile:
        held, inside = self._below(row.path)
        try:
            with held.opened(inside) as descriptor:
                found = os.fstat(descriptor)
        except (OSError, ValueError) as error:
            reason = _REASONS.get(error.errno or 0, _NOT_READ) if isinstance(error, OSError) else _NOT_READ
            raise ImageError(reason) from error
        # A part is written after its images were read: what was changed later is not what was recognised.
        if not stat.S_ISREG(found.st_mode) or found.st_size != row.size or found.st_mtime_ns > row.written:
            raise ImageError(_CHANGED)
        place: FilePlace = (inside, found.st_size, found.st_mtime_ns)
        return FolderFile(held, place)

    def _below(self, path: str) -> tuple[HeldFolder, str]:
        """The folder that may be opened, and the path below it.

        Raises:
            ImageError: there is none.
        """
        if "://" in path:
            raise ImageError(_ELSEWHERE)
        wanted = PurePosixPath(path)
        for root, held in self._held.items():
            if wanted.is_relative_to(root) and ".." not in wanted.parts:
                return held, str(wanted.relative_to(root))
        raise ImageError(_OUTSIDE)


def _entries(rows: Sequence[OutcomeRow], images: Sequence[_Image], origin: str) -> Entries:
    """With names that tell people which file it is, and which image of it."""
    kinds = Kinds()
    titles = [_title(row, image, origin) for row, image in zip(rows, images, strict=True)]
    unique = UniqueNames(set(titles))
    found: list[Row] = [
        (unique.claim(title), row.size, kinds.number(image.image_format, image.header), row.frame)
        for title, row, image in zip(titles, rows, images, strict=True)
    ]
    return Entries(found, kinds)


def _title(row: OutcomeRow, image: _Image, origin: str) -> str:
    name = row.path.removeprefix(origin.rstrip("/") + "/") if origin else row.path
    if row.member:
        name = f"{name}/{row.member}"
    name = shown_name(tidy(name)).strip("/") or "?"
    return f"{name} · {image.header.label or row.frame + 1}" if row.frame or image.header.label else name
