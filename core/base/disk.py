"""Writing to a disk that may be full."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

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
