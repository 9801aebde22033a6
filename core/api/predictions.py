"""Recognition over HTTP: each request waits for its turn in a thread of its own, and gives way to others."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from threading import Event
from typing import TypeVar

import anyio
import anyio.from_thread
from anyio.to_thread import run_sync
from starlette.requests import Request

from core.api.metrics import Metrics
from core.base.errors import Cancelled, InvalidRequest
from core.base.settings import Settings
from core.engines.engine import EngineName
from core.recognition.recognize import OnBatch
from core.recognition.results import Prediction, Recognition
from core.recognition.service import Order, RecognitionService, Watcher

Result = TypeVar("Result")


def check_count(asked: int, settings: Settings) -> None:
    """Refuse a request whose answer would fill the memory: one image may be asked for any number of times.

    Raises:
        InvalidRequest: more answers than a stack can have images.
    """
    if asked > settings.max_entries:
        raise InvalidRequest(f"Ask for at most {settings.max_entries:,} images at once.")


@asynccontextmanager
async def until_client_leaves(request: Request) -> AsyncIterator[Event]:
    """An event that is set as soon as nobody waits any more: the client hangs up, or the ``with`` block fails.

    The request's body must have been read.
    """
    left = Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left.set()

    watching = asyncio.create_task(watch())
    try:
        yield left
    except BaseException:  # the server that stops cancels the request, but not the thread that works for it
        left.set()
        raise
    finally:
        watching.cancel()


class PredictionThreads:
    """Runs orders of requests, each in a thread of its own."""

    def __init__(self, service: RecognitionService, settings: Settings, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics
        # Requests that wait for their turn block their thread: these are not the threads that other routes need.
        self._threads = anyio.CapacityLimiter(service.queue.capacity + settings.max_running)

    async def run(self, order: Order, cancelled: Event) -> Recognition:
        """All predictions at once, of the order's only engine.

        Raises:
            Busy, TooManyRequests: no room in the queue.
            Cancelled: ``cancelled`` was set.
            AppError: as for ``recognize``.
        """
        return await run_sync(self._run, order, lambda predictions: None, cancelled, limiter=self._threads)

    async def stream(self, order: Order, cancelled: Event) -> AsyncGenerator[Sequence[Prediction]]:
        """Predictions as they are made. Closing the generator ends the work.

        Raises:
            Busy, TooManyRequests: no room in the queue.
            Cancelled: ``cancelled`` was set.
            AppError: as for ``recognize``, also after the first predictions.
        """
        # Without a bound: a client that reads slowly must not keep its turn, and the stack holds these objects anyway.
        send, receive = anyio.create_memory_object_stream[Sequence[Prediction]](math.inf)

        def pass_on(predictions: Sequence[Prediction]) -> None:
            try:
                anyio.from_thread.run_sync(send.send_nowait, predictions)
            except anyio.BrokenResourceError as error:
                raise Cancelled("The client has gone.") from error

        async def work() -> None:
            with send:
                await run_sync(self._run, order, pass_on, cancelled, limiter=self._threads)

        working = asyncio.create_task(work())
        try:
            async for predictions in receive:
                yield predictions
            await working
        finally:
            cancelled.set()
            receive.close()
            if not working.done():
                working.add_done_callback(_forget)

    async def do(self, work: Callable[[], Result]) -> Result:
        """Other work that waits for a turn."""
        return await run_sync(work, limiter=self._threads)

    def _run(self, order: Order, on_batch: OnBatch, cancelled: Event) -> Recognition:
        (engine,) = order.engines
        return self._service.run(order, "api", _Counter(self._metrics, engine, on_batch), cancelled)[engine]


class _Counter(Watcher):
    """Counts answers, and passes them on."""

    def __init__(self, metrics: Metrics, engine: EngineName, on_batch: OnBatch) -> None:
        self._metrics = metrics
        self._engine = engine
        self._on_batch = on_batch

    def recognized(self, predictions: Sequence[Prediction]) -> None:
        """See ``Watcher.recognized``."""
        self._metrics.recognized(self._engine, len(predictions))
        self._on_batch(predictions)


def _forget(task: asyncio.Task[None]) -> None:
    """Fetch how the work ended, which nobody waits for: asyncio would complain about it otherwise."""
    if not task.cancelled():
        task.exception()
