"""A folder on this machine, read where it is: nothing is copied, and no link is followed.

Whoever can change the folder may do so while it is open. A file that has changed since, or has gone, is an error of
that image alone. Whatever is put in its place, no file outside the folder is ever read: every part of a path is opened
by itself, below the folder that was opened first.
"""

from __future__ import annotations

import errno
import os
import stat
import weakref
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from core.base.errors import ArchiveError, ImageError, LimitExceeded
from core.base.giving_way import giving_way
from core.base.settings import Settings
from core.images.formats.format import PIECE_BYTES, FileReader
from core.stacks.sources.names import MAX_FOLDERS, decoded_name, tidy
from core.stacks.sources.rules import Candidate, Refusal, is_hidden, select, shown_name
from core.stacks.sources.source import Scratch, Skipped, Source

_DEVICE = Refusal("special_file", "A device and not an image; it cannot be read.")
_LINK = "A link, which is not followed; open the folder that it leads to."
_HIDDEN = "A hidden or system folder."
_UNREADABLE = "The folder may not be read by this program; change its permissions."
_DEEP = f"It lies in {MAX_FOLDERS} folders, one within the other; move it out of some."
_CHANGED = "The file has changed since the stack was opened; open the folder again."
_REASONS = {
    errno.ENOENT: "The file is not there any more; open the folder again.",
    errno.ENOTDIR: "The file is not there any more; open the folder again.",
    errno.ELOOP: "There is a link where the file was, which is not followed; open the folder again.",
    errno.EACCES: "The file may not be read by this program; change its permissions.",
}
_NOT_READ = "The file cannot be read from the disk it is on."

_Place = tuple[str, int, int]
"""A file's path below the folder as the system has it, its bytes, and when it was last changed, in nanoseconds."""


class FolderSource(Source):
    """The images of a folder and of all folders in it."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Index the folder at ``path``.

        Raises:
            ArchiveEmpty: it holds no image.
            LimitExceeded: more files than ``settings.max_entries``.
            ArchiveError: it may not be read.
        """
        self._root = _Root(path)
        places: list[_Place] = []
        skipped: list[Skipped] = []
        try:
            selection = select(_candidates(self._root, places, skipped, settings), settings)
        except BaseException:
            self._root.close()
            raise
        self._places = [places[place] for place in selection.places]
        self.entries = selection.entries
        self.skipped = (*selection.skipped, *skipped)

    def file(self, index: int) -> FileReader:
        """See ``Source.file``."""
        return _File(self._root, self._places[index])

    def close(self) -> None:
        """See ``Source.close``."""
        self._root.close()


class _Folder:
    """A folder as one of the kinds of source."""

    name = "folder"

    def matches(self, path: Path) -> bool:
        """Whether it is one; also a link to one, by which a person may name it."""
        return path.is_dir()

    def open(self, path: Path, settings: Settings, _: Scratch) -> Source:
        """See ``FolderSource``."""
        return FolderSource(path, settings)


SOURCE = _Folder()


class _Root:
    """A folder that is held open, until nobody needs it any more."""

    def __init__(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise ArchiveError(_UNREADABLE) from error
        self._descriptor = descriptor
        self.key = object()  # tells it from all others, and keeps nothing open
        self.close = weakref.finalize(self, os.close, descriptor)

    @contextmanager
    def opened(self, path: str, flags: int = 0) -> Iterator[int]:
        """A descriptor of what is at ``path`` below the folder; no part of it may be a link.

        Raises:
            OSError: it is not there, a link, or may not be read.
            ValueError: the folder is closed.
        """
        if not self.close.alive:
            raise ValueError("the source is closed")
        *folders, last = path.split("/") if path else ["."]
        descriptor = self._descriptor
        try:
            for part in folders:
                descriptor = self._step(descriptor, part, os.O_DIRECTORY)
            # A pipe that lies there now must not keep us waiting for somebody to write to it.
            descriptor = self._step(descriptor, last, flags | os.O_NONBLOCK)
            yield descriptor
        finally:
            if descriptor != self._descriptor:
                os.close(descriptor)

    def _step(self, folder: int, part: str, flags: int) -> int:
        """What is called ``part`` in ``folder``, which is let go of unless that fails."""
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | flags, dir_fd=folder)
        if folder != self._descriptor:
            os.close(folder)
        return descriptor


class _File:
    """One file of a folder, opened each time that it is read: a stack may have more files than a process may open."""

    __slots__ = ("_changed", "_path", "_root", "key", "size")

    def __init__(self, root: _Root, place: _Place) -> None:
        self._root = root
        self._path, self.size, self._changed = place
        self.key: Hashable = (root.key, self._path)

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        """See ``FileReader.read``."""
        wanted = max(self.size - start, 0) if count is None else min(count, max(self.size - start, 0))
        with self._opened() as descriptor:
            data = os.pread(descriptor, wanted, start)
            self._check(descriptor)
        if len(data) < wanted:
            raise ImageError(_CHANGED)
        return data

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        """See ``FileReader.pieces``."""
        with self._opened() as descriptor:
            for position in range(start, self.size, PIECE_BYTES):
                wanted = min(PIECE_BYTES, self.size - position)
                piece = os.pread(descriptor, wanted, position)
                if len(piece) < wanted:
                    raise ImageError(_CHANGED)
                yield piece
            self._check(descriptor)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            with self._root.opened(self._path) as descriptor:
                self._check(descriptor)
                yield descriptor
        except OSError as error:
            raise ImageError(_REASONS.get(error.errno or 0, _NOT_READ)) from error

    def _check(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or (found.st_size, found.st_mtime_ns) != (self.size, self._changed):
            raise ImageError(_CHANGED)


def _candidates(root: _Root, places: list[_Place], skipped: list[Skipped], settings: Settings) -> Iterator[Candidate]:
    """All files below ``root``; each one's place is added to ``places``, links and folders left out to ``skipped``."""
    for path, status in _walk(root, skipped, settings.max_entries):
        place = (path, status.st_size, status.st_mtime_ns)
        places.append(place)
        refused = None if stat.S_ISREG(status.st_mode) else _DEVICE
        yield Candidate(_name(path), status.st_size, _File(root, place), refused)


def _walk(root: _Root, skipped: list[Skipped], most: int) -> Iterator[tuple[str, os.stat_result]]:
    """All files, folder by folder in the order of their names.

    Raises:
        LimitExceeded: there are more than ``most`` files, links and folders.
    """
    waiting = [""]
    seen = 0
    while waiting:
        folder = waiting.pop()
        folders: list[str] = []
        try:
            with root.opened(folder, os.O_DIRECTORY) as descriptor:
                with os.scandir(descriptor) as found:
                    names = sorted(entry.name for entry in giving_way(islice(found, most - seen + 1)))
                seen += len(names)
                if seen > most:
                    raise LimitExceeded(
                        f"The folder holds more than {most:,} files and folders. Open the folders in it one by one."
                    )
                for name in names:
                    path = f"{folder}/{name}" if folder else name
                    with suppress(FileNotFoundError):  # it has gone meanwhile
                        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                        if stat.S_ISDIR(status.st_mode):
                            folders.append(path)
                        elif stat.S_ISLNK(status.st_mode):
                            skipped.append(_left_out(path, "special_file", _LINK))
                        else:
                            yield path, status
        except OSError:
            skipped.append(_left_out(folder, "unreadable", _UNREADABLE))
        for path in reversed(folders):
            if is_hidden(path):
                skipped.append(_left_out(path, "hidden", _HIDDEN))
            elif path.count("/") >= MAX_FOLDERS:
                skipped.append(_left_out(path, "unsafe_name", _DEEP))
            else:
                waiting.append(path)


def _left_out(path: str, code: str, reason: str) -> Skipped:
    return Skipped(shown_name(tidy(_name(path))), code, reason)


def _name(path: str) -> str:
    """The path as text: what the system has may be any bytes."""
    return decoded_name(os.fsencode(path))
