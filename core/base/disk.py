"""Writing to a disk that may be full."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.base.errors import DiskFull


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn "no space left" and "quota exceeded" of the operating system into :class:`DiskFull`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("The server's disk is full. Try again later, or with a smaller ZIP.") from error
        raise


def write_at(descriptor: int, data: bytes | memoryview, position: int) -> None:
    """Write all of ``data`` (bytes) at ``position``; on a nearly full disk a single write may take only a part.

    Raises:
        DiskFull: no space left.
    """
    rest = memoryview(data)
    with disk_errors():
        while rest:
            written = os.pwrite(descriptor, rest, position)
            rest, position = rest[written:], position + written


def folder_bytes(folder: Path) -> int:
    """The sizes of all files in a folder together; 0 where it does not exist (any more)."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def check_free(folder: Path, count: int, reserve: int) -> None:
    """Refuse to write ``count`` bytes below ``folder``, which need not exist yet, where ``reserve`` would not be left.

    Raises:
        DiskFull: the sentence says what to do.
    """
    place = next(one for one in (folder, *folder.parents) if one.exists())
    if shutil.disk_usage(place).free < reserve + count:
        raise DiskFull("The server's disk is nearly full. Try again later, or with a smaller file.")
