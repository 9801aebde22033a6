"""Where the images of a stack come from, one module for each kind, found by itself: each has a ``SOURCE``."""

from __future__ import annotations

import pkgutil
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

from core.base.errors import NotAZip
from core.base.settings import Settings
from core.images.formats import format_names, format_of_content, format_of_name, says_nothing
from core.images.formats.format import InMemory
from core.stacks.sources._decompress import compression_of
from core.stacks.sources.parts import Part, PartsSource
from core.stacks.sources.source import Scratch, Source, SourceKind

# Modules that are none, as is what begins with "_".
_NO_SOURCES = {"names", "parts", "rules", "series", "source", "span", "unpacked", "zip_directory"}

# Reading these would take half a dozen packages of native code, each of which hostile files would reach.
_REFUSED = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "RAR"}
_HEAD_BYTES = 8
_IMAGE_HEAD_BYTES = 256


@cache
def sources() -> tuple[SourceKind, ...]:
    """All of them, in the order of their modules' names."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    found = sorted(name for name in names if name not in _NO_SOURCES and not name.startswith("_"))
    return tuple(import_module(f"{__name__}.{name}").SOURCE for name in found)


def must_unpack(path: Path) -> bool:
    """Whether the file at ``path`` is compressed as a whole: opening it may take minutes, and 80 MB of memory."""
    with path.open("rb") as file:
        return compression_of(file.read(_HEAD_BYTES)) is not None


def open_source(path: Path, settings: Settings, scratch: Scratch | None = None, *, name: str = "") -> Source:
    """What is at ``path``, by the kind that its content shows; what no kind knows may be an image, by its name.

    Args:
        scratch: where to unpack what must be; the temporary folder if there is none.
        name: what people call it, if not as on the disk.

    Raises:
        NotAZip: no kind knows it, and it is not called as images are.
        ArchiveError: see ``SourceKind.open``.
    """
    for kind in sources():
        if kind.matches(path):
            return kind.open(path, settings, scratch or Scratch(Path(tempfile.gettempdir())))
    if _is_image(path, name := name or path.name):
        return PartsSource(path, [Part(name, 0, path.stat().st_size)], settings)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    for magic, kind_name in _REFUSED.items():
        if head.startswith(magic):
            raise NotAZip(f"This is a {kind_name} archive, which cannot be opened. Pack the images into a ZIP or TAR.")
    *others, last = (kind.name for kind in reversed(sources()))
    raise NotAZip(f"The file is not a {', '.join(others)} or {last}; pack the {format_names()} images into one.")


def _is_image(path: Path, name: str) -> bool:
    """Whether a file is called as images are, or, where its name says nothing, is one by its first bytes."""
    if not says_nothing(name):
        return format_of_name(name) is not None
    with path.open("rb") as file:
        return format_of_content(InMemory(file.read(_IMAGE_HEAD_BYTES))) is not None


def open_parts(path: Path, parts: Sequence[Part], settings: Settings, scratch: Scratch) -> Source:
    """What was sent: a file that a kind of source knows, an image, or several of them.

    Raises:
        NotAZip, ArchiveError: as for ``open_source``.
    """
    if len(parts) == 1:
        return open_source(path, settings, scratch, name=parts[0].name)
    return PartsSource(path, parts, settings)
