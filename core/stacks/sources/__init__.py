"""Where the images of a stack come from, one module for each kind, found by itself: each has a ``SOURCE``."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from core.base.errors import NotAZip
from core.base.settings import Settings
from core.images.formats import format_names
from core.stacks.sources.source import Source, SourceKind

_NO_SOURCES = {"rules", "names", "source", "unpacked", "zip_directory"}  # modules of this package that are none


@cache
def sources() -> tuple[SourceKind, ...]:
    """All of them, in the order of their modules' names."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NO_SOURCES)
    return tuple(import_module(f"{__name__}.{name}").SOURCE for name in found)


def open_source(path: Path, settings: Settings) -> Source:
    """What is at ``path``, by the kind that its content shows.

    Raises:
        NotAZip: no kind knows it.
        ArchiveError: see ``SourceKind.open``.
    """
    for kind in sources():
        if kind.matches(path):
            return kind.open(path, settings)
    names = " or ".join(kind.name for kind in sources())
    raise NotAZip(f"The file is not a {names}; pack the {format_names()} images into one.")
