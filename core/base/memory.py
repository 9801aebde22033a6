"""The memory of this process."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_memory_back() -> None:
    """Let the system have what is free but kept for later (glibc); takes milliseconds, beside other threads.

    The C library keeps what many threads have freed here and there: hundreds of megabytes after large images.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
