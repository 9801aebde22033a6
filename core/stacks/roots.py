"""Folders of this machine that the people who run it may open from the page and the API, in place."""

from __future__ import annotations

import stat
from pathlib import Path

from core.base.errors import NotAllowed, PathNotFound
from core.base.settings import Settings, split_list
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore

_OFF = (
    "This server opens no folders of its own. Whoever runs it can name some in AISR_STACK_ROOTS, where it listens on "
    "this computer alone."
)
_OUTSIDE = "This is not in a folder that may be opened here. AISR_STACK_ROOTS names those."
_MISSING = "There is no folder or file of this name."


class StackRoots:
    """The folders that ``settings.stack_roots`` names; none of them unless ``is_local``.

    Whoever reaches the server can have everything in them opened, so it must be reached from this computer alone; see
    ``core.base.reach``.
    """

    def __init__(self, settings: Settings, *, is_local: bool = False) -> None:
        self._roots = [Path(root) for root in split_list(settings.stack_roots)]
        self.is_local = is_local

    @property
    def folders(self) -> tuple[Path, ...]:
        """They, as the setting names them."""
        return tuple(self._roots) if self.is_local else ()

    @property
    def names(self) -> tuple[str, ...]:
        """The same, as text."""
        return tuple(map(str, self.folders))

    def find(self, path: str) -> Path:
        """The folder or file at ``path``, which is one of the roots or lies in one.

        Nothing is said of what lies outside: also not whether it exists.

        Raises:
            NotAllowed: no folders may be opened; or it is outside of them, or on the other side of a link.
            PathNotFound: there is nothing, or no folder and no file.
        """
        if not self.names:
            raise NotAllowed(_OFF)
        wanted = Path(path)
        root = next((root for root in self._roots if wanted.is_relative_to(root)), None)
        if root is None or ".." in wanted.parts or "\0" in path:
            raise NotAllowed(_OUTSIDE)
        try:
            found = root.resolve(strict=True)
            status = found.stat()
            for part in wanted.relative_to(root).parts:
                found /= part
                status = found.lstat()
                if stat.S_ISLNK(status.st_mode):
                    raise NotAllowed(_OUTSIDE)
        except (OSError, ValueError) as error:
            raise PathNotFound(_MISSING) from error
        if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
            raise PathNotFound(_MISSING)
        return found

    def open(self, path: str, store: StackStore, client: str) -> ImageStack:
        """The stack of what is at ``path``, read where it is; what is computed counts towards the quota of ``client``.

        Raises:
            NotAllowed, PathNotFound: as for ``find``.
            ArchiveError, TooManyStacks, QuotaExceeded, DiskFull: as for ``StackStore.open``.
        """
        found = self.find(path)
        try:
            return store.open(found, found.name, client)
        except OSError as error:
            raise PathNotFound(_MISSING) from error
