"""Threads in which images are read from a stack, once there is memory for them and for the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TypeVar

from anyio.to_thread import run_sync
from fastapi import Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from core.api.clients import client_of
from core.base.budget import SMALL_BYTES, ByteBudget
from core.base.byte_lane import ByteLane, Reservation
from core.base.settings import MIB, Settings
from core.base.workers import yield_cores

Result = TypeVar("Result")

FREE_BYTES = 64 * 1024  # an answer of no more is not worth counting: a connection has as much in its buffers
PIECE_BYTES = 2 * MIB  # what an answer in pieces keeps in memory while it is sent


@dataclass(frozen=True, slots=True)
class Pieces:
    """A body that is made piece by piece, each up to ``PIECE_BYTES``.

    Attributes:
        made: gives them; it is closed when nobody reads on.
        memory: bytes that making one takes.
        cost: of one, in the client's share.
    """

    made: Generator[bytes]
    memory: int
    cost: int


class ImageThreads:
    """Large images wait for memory, which all clients share, and answers for room to be sent from.

    An answer keeps its bytes until they are sent: who does not read them uses up a client's part of ``answers``, and
    nobody else's.
    """

    def __init__(self, settings: Settings, memory: ByteBudget, answers: ByteLane) -> None:
        self._settings = settings
        self._memory = memory
        self._answers = answers
        # More of them at once than cores would come no sooner.
        self._large = ThreadPoolExecutor(settings.decode_workers, "large-answer", initializer=yield_cores)

    async def run(self, request: Request, memory: int, work: Callable[[], Response], *, answer: int) -> Response:
        """Do ``work``, which takes ``memory`` bytes for a moment, and makes a body of at most ``answer`` bytes.

        Waiting for them blocks no thread.

        Raises:
            TooManyRequests: the client has as many requests waiting as it may.
            Cancelled: it hung up meanwhile.
        """

        async def make() -> Response:
            async with self._memory.held(
                memory,
                _until_client_leaves(request),
                client=client_of(request),
                most_waiting=self._settings.max_waiting_per_client,
            ):
                return await (self._in_background(work) if memory > SMALL_BYTES else run_sync(work))

        return await self.until_sent(request, make, answer=answer)

    async def until_sent(self, request: Request, make: Callable[[], Awaitable[Response]], *, answer: int) -> Response:
        """What ``make`` makes, a body of at most ``answer`` bytes, with room for it until it is sent.

        Raises:
            TooManyRequests, Cancelled: as for ``run``.
        """
        async with AsyncExitStack() as held:
            room = await held.enter_async_context(self._room(request, answer)) if answer > FREE_BYTES else None
            response = await make()
            if room is None:
                return response
            room.keep(len(response.body))
            return _UntilSent(response, held.pop_all())

    async def stream(
        self, request: Request, body: Pieces, *, media_type: str, status: int = 200, headers: Mapping[str, str]
    ) -> Response:
        """An answer that is made while it is read, each piece in a turn of its own.

        Raises:
            TooManyRequests, Cancelled: as for ``run``.
            AppError: what the first piece raises. Later failures break the answer off.
        """
        async with AsyncExitStack() as held:
            held.callback(_close, body.made)
            await held.enter_async_context(self._room(request, PIECE_BYTES))
            first = await self._next(request, body)
            return _Streamed(self._all(request, first, body), status, headers, media_type, held.pop_all())

    async def do(self, request: Request, work: Callable[[], Result], *, memory: int, cost: int) -> Result:
        """Do a step of large work in a turn of its own."""
        async with self._memory.held(memory, client=client_of(request), cost=cost):
            return await self._in_background(work)

    async def check(self, request: Request, body: Pieces) -> None:
        """Make all pieces for nothing but what they may raise.

        Raises:
            TooManyRequests, Cancelled: as for ``run``.
            AppError: what a piece raises.
        """
        try:
            while await self._next(request, body) is not None:
                pass
        finally:
            _close(body.made)

    async def _in_background(self, work: Callable[[], Result]) -> Result:
        running = asyncio.get_running_loop().run_in_executor(self._large, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            with suppress(Exception):  # its memory is not free before it ends
                await running
            raise

    def _room(self, request: Request, count: int) -> AbstractAsyncContextManager[Reservation]:
        return self._answers.held(
            count,
            _until_client_leaves(request),
            client=client_of(request),
            most_waiting=self._settings.max_waiting_per_client,
        )

    async def _all(self, request: Request, piece: bytes | None, body: Pieces) -> AsyncIterator[bytes]:
        while piece is not None:
            yield piece
            piece = await self._next(request, body)

    async def _next(self, request: Request, body: Pieces) -> bytes | None:
        return await self.do(request, lambda: next(body.made, None), memory=body.memory, cost=body.cost)


class _UntilSent(Response):
    """A finished answer that lets go of what is held for it once it is sent, or cannot be."""

    def __init__(self, response: Response, held: AsyncExitStack) -> None:
        self.status_code = response.status_code
        self.body = response.body
        self.raw_headers = response.raw_headers
        self.background = None
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)


class _Streamed(StreamingResponse):
    """The same for an answer in pieces."""

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        status: int,
        headers: Mapping[str, str],
        media_type: str,
        held: AsyncExitStack,
    ) -> None:
        super().__init__(pieces, status, headers, media_type)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)


def _close(made: Generator[bytes]) -> None:
    with suppress(ValueError):  # a server that stops does not wait for the thread that makes the next piece
        made.close()


async def _until_client_leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
