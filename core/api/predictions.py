"""Recognition over HTTP: each request waits for its turn in a thread of its own, and gives way to others."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Event

import anyio
import anyio.from_thread
from anyio.to_thread import run_sync
from starlette.requests import Request

from core.api.metrics import Metrics
from core.base.errors import Cancelled, InvalidRequest
from core.base.settings import Settings
from core.engines.engine import EngineName
from core.models.model import Model
from core.recognition.fair_queue import FairQueue
from core.recognition.recognize import recognize
from core.recognition.results import Prediction, Recognition
from core.recognition.run_log import log_recognition
from core.stacks.stack import ImageStack

OnBatch = Callable[[Sequence[Prediction]], None]


@dataclass(frozen=True, slots=True)
class Order:
    """One request for predictions; ``batch_size`` 0 is automatic."""

    client: str
    stack: ImageStack
    indices: Sequence[int]
    model: Model
    engine: EngineName
    batch_size: int


def check_count(asked: int, settings: Settings) -> None:
    """Refuse a request whose answer would fill the memory: one image may be asked for any number of times.

    Raises:
        InvalidRequest: more answers than a stack can have images.
    """
    if asked > settings.max_entries:
        raise InvalidRequest(f"Ask for at most {settings.max_entries:,} images at once.")


@asynccontextmanager
async def until_client_leaves(request: Request) -> AsyncIterator[Event]:
    """An event that is set as soon as the client hangs up. The request's body must have been read."""
    left = Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        left.set()

    watching = asyncio.create_task(watch())
    try:
        yield left
    finally:
        watching.cancel()


class Recognizer:
    """Runs orders in the turns of ``queue``."""

    def __init__(self, queue: FairQueue, settings: Settings, metrics: Metrics) -> None:
        self._queue = queue
        self._metrics = metrics
        self._settings = settings
        # Requests that wait for their turn block their thread: these are not the threads that other routes need.
        self._threads = anyio.CapacityLimiter(queue.capacity + settings.max_running)

    async def run(self, order: Order, cancelled: Event) -> Recognition:
        """All predictions at once.

        Raises:
            Busy, TooManyRequests: no room in the queue.
            Cancelled: ``cancelled`` was set.
            AppError: as for ``recognize``.
        """
        return await run_sync(self._recognize, order, lambda predictions: None, cancelled, limiter=self._threads)

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
                await run_sync(self._recognize, order, pass_on, cancelled, limiter=self._threads)

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

    def _recognize(self, order: Order, on_batch: OnBatch, cancelled: Event) -> Recognition:
        with self._queue.turn(order.client, order.stack.id, cancelled) as turn:

            def on_predictions(predictions: Sequence[Prediction]) -> None:
                order.stack.results.add(predictions)
                self._metrics.recognized(order.engine, len(predictions))
                on_batch(predictions)
                turn.give_way()

            recognition = recognize(
                order.stack,
                order.indices,
                order.model,
                order.engine,
                self._settings,
                batch_size=order.batch_size,
                on_batch=on_predictions,
                cancelled=cancelled,
            )
            log_recognition("api", order.stack.id, recognition)
            return recognition


def _forget(task: asyncio.Task[None]) -> None:
    """Fetch how the work ended, which nobody waits for: asyncio would complain about it otherwise."""
    if not task.cancelled():
        task.exception()
