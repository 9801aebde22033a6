"""Image file formats, one module each, found by themselves: each has a ``FORMAT``, see ``formats/format.py``."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from posixpath import splitext

from core.base.errors import ImageError
from core.images.formats._unread import why_unread as known_unread
from core.images.formats.format import FileReader, ImageFormat, ImageHeader, InMemory, Pixels, Size

_NO_FORMATS = ("format", "_")  # what modules of this package that are none begin with


@cache
def formats() -> tuple[ImageFormat, ...]:
    """All of them, in the order of their modules' names."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith(_NO_FORMATS))
    return tuple(import_module(f"{__name__}.{name}").FORMAT for name in found)


def format_of_name(name: str) -> ImageFormat | None:
    """The format that reads files of this name; None where no format does."""
    return _by_extension(formats()).get(splitext(name)[1].lower())


def says_nothing(name: str) -> bool:
    """Whether a name does not say what a file is: it has no ending, or a number for one, as of many medical files."""
    base = name.rpartition("/")[2]
    ending = splitext(base)[1]
    return base[:1] not in ("", ".") and (not ending or ending[1:].isdecimal())


def format_of_content(file: FileReader) -> ImageFormat | None:
    """The format of a file by its first bytes; None where no format reads it.

    Raises:
        ImageError: the file is damaged where it is kept.
    """
    head = file.read(0, max(one.head_bytes for one in formats()))
    return next((one for one in formats() if one.matches(head[: one.head_bytes])), None)


@cache
def _by_extension(known: tuple[ImageFormat, ...]) -> dict[str, ImageFormat]:
    return {extension: one for one in known for extension in one.extensions}


def why_unread(name: str) -> str:
    """The sentence about a file whose name no format reads."""
    return known_unread(name) or f"Not an image that can be read; convert it to {format_names()}."


def format_of(data: bytes) -> ImageFormat:
    """The format of a file's bytes, by the first of them.

    Raises:
        ImageError: none of the registered ones.
    """
    if found := format_of_content(InMemory(data)):
        return found
    raise ImageError(f"The file is not a {format_names()} image; export it as {format_names()}.")


def format_names() -> str:
    """What can be read, for sentences: ``"PNG"``, or ``"JPEG, PNG or TIFF"``."""
    *others, last = [one.name for one in formats()]
    return f"{', '.join(others)} or {last}" if others else last


def decode(data: bytes, *, max_pixels: int) -> Pixels:
    """The first frame of a file of any format; see ``ImageFormat.decode``.

    Raises:
        ImageTooLarge, ImageError: as there.
    """
    return format_of(data).decode(InMemory(data), max_pixels=max_pixels)


def decode_enough(data: bytes, enough: Callable[[ImageHeader], Size], *, max_pixels: int) -> tuple[Pixels, ImageHeader]:
    """The same in a smaller size, if that is faster, and the header, of which ``enough`` tells ``at_least``."""
    found, file = format_of(data), InMemory(data)
    header = next(iter(found.read_headers(file)))
    return found.decode(file, max_pixels=max_pixels, at_least=enough(header)), header
