"""Threads in which images are read from a stack: large ones only a few at a time, for the memory they take."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio.to_thread import run_sync
from fastapi import Response

from core.base.settings import MIB, Settings
from core.stacks.sources.zip import Entry

# What an image may take while it is read and still count as small: 40 of them, as many as there are threads, at once.
SMALL_BYTES = 32 * MIB
BYTES_PER_PIXEL = 8  # 16-bit RGBA, the largest kind there is


class ImageThreads:
    """More large images at once than there are cores would not come sooner, and together could take all memory."""

    def __init__(self, settings: Settings) -> None:
        self._large = anyio.CapacityLimiter(settings.decode_workers)

    async def run(self, entry: Entry, work: Callable[[], Response]) -> Response:
        """Do ``work``, which reads the image ``entry``; waiting for it blocks no thread."""
        memory = entry.file_size + entry.header.width * entry.header.height * BYTES_PER_PIXEL
        return await run_sync(work, limiter=self._large if memory > SMALL_BYTES else None)
