"""Where the images of a stack come from, one module for each kind, found by itself: each has a ``SOURCE``."""

from __future__ import annotations

import pkgutil
import tempfile
from functools import cache
from importlib import import_module
from pathlib import Path

from core.base.errors import NotAZip
from core.base.settings import Settings
from core.images.formats import format_names
from core.stacks.sources.source import Scratch, Source, SourceKind

_NO_SOURCES = {"rules", "names", "source", "span", "zip_directory"}  # modules that are none, as is what begins with "_"


@cache
def sources() -> tuple[SourceKind, ...]:
    """All of them, in the order of their modules' names."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    found = sorted(name for name in names if name not in _NO_SOURCES and not name.startswith("_"))
    return tuple(import_module(f"{__name__}.{name}").SOURCE for name in found)


def open_source(path: Path, settings: Settings, scratch: Scratch | None = None) -> Source:
    """What is at ``path``, by the kind that its content shows. Without ``scratch`` it unpacks to the temporary folder.

    Raises:
        NotAZip: no kind knows it.
        ArchiveError: see ``SourceKind.open``.
    """
    for kind in sources():
        if kind.matches(path):
            return kind.open(path, settings, scratch or Scratch(Path(tempfile.gettempdir())))
    *others, last = (kind.name for kind in reversed(sources()))
    raise NotAZip(f"The file is not a {', '.join(others)} or {last}; pack the {format_names()} images into one.")
