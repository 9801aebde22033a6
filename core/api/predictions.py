"""Recognition over HTTP: each request waits for its turn in a thread of its own, and gives way to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from threading import Event

import anyio
import anyio.from_thread
from anyio.to_thread import run_sync

from core.api.metrics import Metrics
from core.errors import Cancelled
from core.fair_queue import FairQueue
from core.models import Model
from core.recognize import recognize
from core.results import EngineName, Prediction, Recognition
from core.settings import Settings
from core.stack import ImageStack

OnBatch = Callable[[Sequence[Prediction]], None]
BATCHES_AHEAD = 8  # a client that reads slowly slows its own recognition down, and nothing piles up


@dataclass(frozen=True, slots=True)
class Order:
    """One request for predictions; ``batch_size`` 0 is automatic."""

    client: str
    stack: ImageStack
    indices: Sequence[int]
    model: Model
    engine: EngineName
    batch_size: int


class Recognizer:
    """Runs orders in the turns of ``queue``."""

    def __init__(self, queue: FairQueue, settings: Settings, metrics: Metrics) -> None:
        self._queue = queue
        self._metrics = metrics
        self._settings = settings
        # Requests that wait for their turn block their thread: these are not the threads that other routes need.
        self._threads = anyio.CapacityLimiter(queue.capacity + settings.max_running)

    async def run(self, order: Order) -> Recognition:
        """All predictions at once.

        Raises:
            Busy, TooManyRequests: no room in the queue.
            AppError: as for ``recognize``.
        """
        return await run_sync(self._recognize, order, lambda predictions: None, Event(), limiter=self._threads)

    async def stream(self, order: Order) -> AsyncGenerator[Sequence[Prediction]]:
        """Predictions as they are made. Closing the generator ends the work.

        Raises:
            Busy, TooManyRequests: no room in the queue.
            AppError: as for ``recognize``, also after the first predictions.
        """
        send, receive = anyio.create_memory_object_stream[Sequence[Prediction]](BATCHES_AHEAD)
        cancelled = Event()

        def pass_on(predictions: Sequence[Prediction]) -> None:
            try:
                anyio.from_thread.run(send.send, predictions)
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

            return recognize(
                order.stack,
                order.indices,
                order.model,
                order.engine,
                self._settings,
                batch_size=order.batch_size,
                on_batch=on_predictions,
                cancelled=cancelled,
            )


def _forget(task: asyncio.Task[None]) -> None:
    """Fetch how the work ended, which nobody waits for: asyncio would complain about it otherwise."""
    if not task.cancelled():
        task.exception()
