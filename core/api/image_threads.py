"""Threads in which images are read from a stack, once there is memory for it."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio.to_thread import run_sync
from fastapi import Request, Response

from core.api.clients import client_of
from core.base.budget import SMALL_BYTES, ByteBudget
from core.base.settings import Settings


class ImageThreads:
    """Large images wait for memory, which all clients share; and more of them at once than cores come no sooner."""

    def __init__(self, settings: Settings, memory: ByteBudget) -> None:
        self._settings = settings
        self._memory = memory
        self._large = anyio.CapacityLimiter(settings.decode_workers)

    async def run(self, request: Request, memory: int, work: Callable[[], Response]) -> Response:
        """Do ``work``, which takes ``memory`` bytes for a moment; waiting for them blocks no thread.

        Raises:
            TooManyRequests: the client has as many requests waiting as it may.
            Cancelled: it hung up meanwhile.
        """
        held = self._memory.held(
            memory,
            _until_client_leaves(request),
            client=client_of(request),
            most_waiting=self._settings.max_waiting_per_client,
        )
        async with held:
            return await run_sync(work, limiter=self._large if memory > SMALL_BYTES else None)


async def _until_client_leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
