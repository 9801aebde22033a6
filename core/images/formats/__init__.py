"""Image file formats, one module each, found by themselves: each has a ``FORMAT``, see ``formats/format.py``."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import PurePosixPath

from core.base.errors import ImageError
from core.images.formats._unread import why_unread as known_unread
from core.images.formats.format import ImageFormat, InMemory, Pixels, Size

_NO_FORMATS = ("format", "_")  # what modules of this package that are none begin with


@cache
def formats() -> tuple[ImageFormat, ...]:
    """All of them, in the order of their modules' names."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith(_NO_FORMATS))
    return tuple(import_module(f"{__name__}.{name}").FORMAT for name in found)


def format_of_name(name: str) -> ImageFormat | None:
    """The format that reads files of this name; None where no format does."""
    suffix = PurePosixPath(name).suffix.lower()
    return next((one for one in formats() if suffix in one.extensions), None)


def why_unread(name: str) -> str:
    """The sentence about a file whose name no format reads."""
    return known_unread(name) or f"Not an image that can be read; convert it to {format_names()}."


def format_of(data: bytes) -> ImageFormat:
    """The format of a file's bytes, by the first of them.

    Raises:
        ImageError: none of the registered ones.
    """
    for one in formats():
        if one.matches(data[: one.head_bytes]):
            return one
    raise ImageError(f"The file is not a {format_names()} image; export it as {format_names()}.")


def format_names() -> str:
    """What can be read, for sentences: ``"PNG"``, or ``"JPEG, PNG or TIFF"``."""
    *others, last = [one.name for one in formats()]
    return f"{', '.join(others)} or {last}" if others else last


def decode(data: bytes, *, max_pixels: int, enough: Callable[[Size], Size] | None = None) -> Pixels:
    """The first frame of a file of any format; see ``ImageFormat.decode``.

    Args:
        data: the file.
        max_pixels: as for ``check_size``.
        enough: tells of a frame's width and height which ones are enough, ``at_least``.

    Raises:
        ImageTooLarge, ImageError: as there.
    """
    found, file = format_of(data), InMemory(data)
    if enough is None:
        return found.decode(file, max_pixels=max_pixels)
    header = next(iter(found.read_headers(file)))
    return found.decode(file, max_pixels=max_pixels, at_least=enough((header.width, header.height)))
