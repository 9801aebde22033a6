"""Bytes in flight with one queue: whoever is about to hold much memory for a moment asks first, and waits for it.

In a thread (``hold``), in a coroutine (``held``), or without waiting at all (``request``, and a callback on what it
grants).
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from threading import Event
from typing import Any

from core.base.errors import Busy, Cancelled, TooManyRequests

_POLL_SECONDS = 0.1  # how often a thread that waits looks whether it was cancelled
_REMEMBERED = 4096  # clients whose past use counts


class Reservation:
    """Bytes asked for. ``granted`` is done once they may be used; ``release`` gives them back, or stops waiting."""

    def __init__(self, lane: ByteLane, client: str, count: int, cost: int, urgency: int) -> None:
        self.granted: Future[None] = Future()
        self.granted.set_running_or_notify_cancel()  # so that a waiting coroutine that is cancelled leaves it alone
        self.client = client
        self.count = count
        self.cost = cost
        self.urgency = urgency
        self.state = "waiting"
        self._lane = lane

    def hasten(self, urgency: int) -> None:
        """Let it go before what the same client needs less urgently; lower is more urgent."""
        self._lane.hasten(self, urgency)

    def keep(self, count: int) -> None:
        """Give back what is granted beyond ``count``."""
        self._lane.keep(self, count)

    def release(self) -> None:
        """Give the bytes back; once is enough, more is harmless."""
        self._lane.release(self)


class Bytes(ABC):
    """Bytes that can be asked for, and waited for."""

    @abstractmethod
    def request(
        self,
        count: int,
        *,
        client: str = "",
        urgency: int = 0,
        cost: int | None = None,
        most_waiting: int | None = None,
    ) -> Reservation:
        """Ask for ``count`` bytes without waiting for them.

        Args:
            client: whose share they come out of.
            urgency: orders the requests of one client; lower first.
            cost: what they count in that share, where the work is not in proportion to them.
            most_waiting: refuse where this client has so many waiting already.

        Raises:
            TooManyRequests: see ``most_waiting``.
            Busy: the budget is closed.
        """

    @contextmanager
    def hold(self, count: int, *, client: str = "", urgency: int = 0, cancelled: Event | None = None) -> Iterator[None]:
        """Have ``count`` bytes for the ``with`` block, blocking the thread until they are there.

        Raises:
            Cancelled: the event was set meanwhile.
            Busy: the budget was closed.
        """
        reservation = self.request(count, client=client, urgency=urgency)
        try:
            while True:
                try:
                    reservation.granted.result(_POLL_SECONDS if cancelled else None)
                    break
                except TimeoutError:
                    if cancelled is not None and cancelled.is_set():
                        raise Cancelled("Cancelled.") from None
            yield
        finally:
            reservation.release()

    @asynccontextmanager
    async def held(
        self,
        count: int,
        left: Coroutine[Any, Any, None] | None = None,
        *,
        client: str = "",
        urgency: int = 0,
        cost: int | None = None,
        most_waiting: int | None = None,
    ) -> AsyncIterator[Reservation]:
        """The same for a coroutine.

        Args:
            count, client, urgency, cost, most_waiting: as for ``request``.
            left: ends when nobody waits for the work any more.

        Raises:
            Cancelled: ``left`` ended first.
            TooManyRequests, Busy: as for ``request``.
        """
        try:
            reservation = self.request(count, client=client, urgency=urgency, cost=cost, most_waiting=most_waiting)
        except BaseException:
            if left is not None:
                left.close()
            raise
        try:
            if not reservation.granted.done():
                leaving = asyncio.ensure_future(left or asyncio.sleep(math.inf))
                try:
                    granted = asyncio.wrap_future(reservation.granted)
                    await asyncio.wait({granted, leaving}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    leaving.cancel()
                if not reservation.granted.done():
                    raise Cancelled("The client has gone.")
            elif left is not None:
                left.close()
            reservation.granted.result()
            yield reservation
        finally:
            reservation.release()


class ByteLane(Bytes):
    """Bytes with one queue.

    The order between clients is start-time fair queueing (Goyal, Vin and Cheng, 1996): a clock that runs with the
    bytes granted, and for each client the time at which its granted bytes are paid for.
    """

    def __init__(self, capacity: int, *, at_once: int | None = None, per_client: int | None = None) -> None:
        """``capacity`` bytes, for at most ``at_once`` who have them, and of them ``per_client`` for each client."""
        self._capacity = capacity
        self._at_once = math.inf if at_once is None else at_once
        self._per_client = capacity if per_client is None else per_client
        self._having: dict[str, int] = {}  # bytes that clients have
        self._number = 0  # of reservations that are granted
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[str, list[tuple[int, int, Reservation]]] = {}  # a heap for each client
        self._counts: dict[str, int] = {}
        self._clock = 0
        self._paid: dict[str, int] = {}
        self._closed = False
        self.used = 0

    @property
    def waiting(self) -> int:
        """Requests that are not granted yet."""
        with self._lock:
            return sum(self._counts.values())

    def request(
        self,
        count: int,
        *,
        client: str = "",
        urgency: int = 0,
        cost: int | None = None,
        most_waiting: int | None = None,
    ) -> Reservation:
        """See ``Bytes.request``."""
        count = min(max(count, 0), self._capacity, self._per_client)
        reservation = Reservation(self, client, count, count if cost is None else cost, urgency)
        with self._lock:
            if self._closed:
                raise _closing()
            if most_waiting is not None and self._counts.get(client, 0) >= most_waiting:
                raise TooManyRequests(
                    "You have many requests waiting already. Wait for their answers before you send more."
                )
            self._push(reservation)
            self._counts[client] = self._counts.get(client, 0) + 1
            granted = self._grant()
        _tell(granted)
        return reservation

    def hasten(self, reservation: Reservation, urgency: int) -> None:
        """See ``Reservation.hasten``."""
        with self._lock:
            if reservation.state == "waiting" and urgency < reservation.urgency:
                reservation.urgency = urgency
                self._push(reservation)  # its older place in the heap no longer counts

    def keep(self, reservation: Reservation, count: int) -> None:
        """See ``Reservation.keep``."""
        with self._lock:
            if reservation.state == "granted" and count < reservation.count:
                self._give_back(reservation, reservation.count - count)
                reservation.count = count
            granted = self._grant()
        _tell(granted)

    def release(self, reservation: Reservation) -> None:
        """See ``Reservation.release``."""
        with self._lock:
            state, reservation.state = reservation.state, "released"
            if state == "granted":
                self._give_back(reservation, reservation.count)
                self._number -= 1
            elif state == "waiting":
                self._forget(reservation.client)
            granted = self._grant()
        _tell(granted)

    def close(self) -> None:
        """Grant nothing more; who waits gets Busy."""
        with self._lock:
            self._closed = True
            waiting = {entry[2] for heap in self._waiting.values() for entry in heap if entry[2].state == "waiting"}
            for reservation in waiting:
                reservation.state = "released"
            self._waiting.clear()
            self._counts.clear()
        for reservation in waiting:
            reservation.granted.set_exception(_closing())

    def _push(self, reservation: Reservation) -> None:
        heap = self._waiting.setdefault(reservation.client, [])
        heapq.heappush(heap, (reservation.urgency, next(self._numbers), reservation))

    def _grant(self) -> list[Reservation]:
        """Take from the queue what there is room for. The lock is held; whoever is granted is told without it."""
        granted = []
        while self._number < self._at_once and (first := self._first()) and self.used + first.count <= self._capacity:
            heapq.heappop(self._waiting[first.client])
            self._forget(first.client)
            self._clock = max(self._clock, self._paid.get(first.client, 0))
            self._paid[first.client] = self._clock + first.cost
            self.used += first.count
            self._having[first.client] = self._having.get(first.client, 0) + first.count
            self._number += 1
            first.state = "granted"
            granted.append(first)
        if len(self._paid) > _REMEMBERED:
            self._paid = {client: paid for client, paid in self._paid.items() if paid > self._clock}
        return granted

    def _first(self) -> Reservation | None:
        """The next in turn, of the clients that may have more."""
        heads = []
        for client, heap in list(self._waiting.items()):
            while heap and (heap[0][2].state != "waiting" or heap[0][0] != heap[0][2].urgency):
                heapq.heappop(heap)
            if heap and self._having.get(client, 0) + heap[0][2].count <= self._per_client:
                heads.append((max(self._clock, self._paid.get(client, 0)), heap[0][1], heap[0][2]))
            elif not heap:
                del self._waiting[client]
        return min(heads, key=lambda head: head[:2])[2] if heads else None

    def _give_back(self, reservation: Reservation, count: int) -> None:
        self.used -= count
        left = self._having.pop(reservation.client, 0) - count
        if left:
            self._having[reservation.client] = left

    def _forget(self, client: str) -> None:
        """One fewer waits."""
        self._counts[client] -= 1
        if not self._counts[client]:
            del self._counts[client]


def _tell(granted: list[Reservation]) -> None:
    for reservation in granted:
        reservation.granted.set_result(None)


def _closing() -> Busy:
    return Busy("The server is shutting down. Try again in a minute.")
