"""Who may use the engines now: a bounded number at a time, everybody else in a fair, bounded queue.

Work of other kinds stands in the same queue, in a lane of its own with a single place: recognitions never wait for it,
and no two of its kind run together.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event
from typing import Literal

from core.base.errors import Busy, Cancelled, TooManyRequests
from core.base.settings import Settings

STOP_SECONDS = 4.0  # what is running when the server is told to stop may take so long to end by itself
POLL_SECONDS = 0.2  # how often somebody who waits looks whether they were cancelled
REMEMBERED = 4096  # clients whose turns are remembered
HALF_LIFE_SECONDS = 10.0  # half of the time a client has used counts no more after so long
EQUAL_SECONDS = 1.0  # who used the engines for no more than so much longer comes by who was served longest ago
HEAVY_RUNNING = 1  # a calibration takes 1.5 GB, and benchmarks would measure each other

CANCELLED = "Cancelled. What was recognised so far is kept."
CANCELLED_BEFORE = "Cancelled before its turn came. Nothing has changed."

Lane = Literal["recognition", "loading", "heavy", "download"]
"""``loading`` an engine is what many may wait for at once; ``heavy`` takes a gigabyte or all cores (calibration,
benchmarks, export), ``download`` the way to the internet."""


@dataclass(frozen=True, slots=True)
class _Limits:
    """How many turns of a lane are given at once, and how many may wait for one: in all, and of one client."""

    running: int
    waiting: int
    waiting_per_client: int


@dataclass(eq=False, slots=True)
class _Ticket:
    """One request in the queue."""

    client: str
    stack: str
    number: int
    lane: Lane
    granted: bool = False


class Turn:
    """The right to work; long work gives way to others from time to time."""

    def __init__(self, queue: FairQueue, client: str, stack: str, cancelled: Event, lane: Lane) -> None:
        self._queue = queue
        self._client = client
        self._stack = stack
        self._cancelled = cancelled
        self._lane = lane
        self._held = False
        self._since = 0.0

    def give_way(self) -> None:
        """Let the next one work if this turn has lasted long enough and somebody waits; return at the next turn.

        Raises:
            Cancelled: the work was cancelled meanwhile.
            Busy: the server is stopping, and has given what was running its time to end.
        """
        self._give_way(self._queue.turn_seconds)

    def give_way_idle(self) -> None:
        """The same while there is nothing to do but wait for something: at once, the cores are not used anyway."""
        self._give_way(0)

    def _give_way(self, after: float) -> None:
        self._queue._check_time_left()
        waiting = self._queue._tickets_of(self._lane)
        if waiting and self._queue.clock() - self._since >= after:
            self._end()
            self._begin(returning=True)

    def _begin(self, *, returning: bool) -> None:
        self._queue._enter(self._client, self._stack, self._cancelled, self._lane, returning)
        self._held, self._since = True, self._queue.clock()

    def _end(self) -> None:
        if self._held:
            self._held = False
            self._queue._leave(self._client, self._lane, self._queue.clock() - self._since)


@dataclass(slots=True)
class _Used:
    """For how long a client has had turns lately: ``seconds`` as of ``at``, from then on fewer and fewer."""

    seconds: float = 0.0
    at: float = 0.0

    def now(self, now: float) -> float:
        return self.seconds * math.exp2((self.at - now) / HALF_LIFE_SECONDS)


class FairQueue:
    """Grants turns: first to the clients that used the engines least of late, among these to the one served longest
    ago, among its stacks to the one served longest ago.

    So a client with many requests, or one with a large stack, delays another by about one turn, and several such
    clients together delay one with small requests no longer.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.turn_seconds = settings.turn_seconds
        heavy = _Limits(HEAVY_RUNNING, settings.max_heavy_waiting, settings.max_heavy_waiting_per_client)
        recognition = _Limits(settings.max_running, settings.max_waiting, settings.max_waiting_per_client)
        loading = replace(recognition, running=1)
        self._limits: dict[Lane, _Limits] = {
            "recognition": recognition,
            "loading": loading,
            "heavy": heavy,
            "download": heavy,
        }
        self._running: Counter[Lane] = Counter()
        self._changed = threading.Condition()
        self._tickets: list[_Ticket] = []
        self._numbers = itertools.count(1)
        self._served: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._used: OrderedDict[str, _Used] = OrderedDict()
        self._stopped_at: float | None = None

    def stop(self) -> None:
        """Grant no more turns, and end those in use after ``STOP_SECONDS``. Takes no lock: for signal handlers."""
        self._stopped_at = time.monotonic()

    @property
    def running(self) -> int:
        """Turns in use."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._tickets)

    @property
    def capacity(self) -> int:
        """Most requests that may be running or waiting: more threads than this are never blocked here."""
        return sum(limits.running + limits.waiting for limits in self._limits.values())

    def ahead(self, stack: str) -> int:
        """How many heavy turns come, as things stand, before the one that is waited for with ``stack``."""
        with self._changed:
            waiting = sorted(self._tickets_of("heavy"), key=self._rank)
            places = [place for place, one in enumerate(waiting) if one.stack == stack]
            return places[0] + self._running["heavy"] if places else 0

    @contextmanager
    def turn(
        self, client: str, stack: str, cancelled: Event | None = None, *, lane: Lane = "recognition"
    ) -> Iterator[Turn]:
        """Wait for a turn, blocking the calling thread; the turn ends with the ``with`` block.

        Args:
            client: whose request it is.
            stack: id of the stack it is about.
            cancelled: set it from another thread to stop waiting.
            lane: what kind of work it is; of all but recognition, one turn is given at a time.

        Raises:
            Busy: the queue is full, or the server is stopping.
            TooManyRequests: this client has as many requests in it as one client may.
            Cancelled: ``cancelled`` was set.
        """
        turn = Turn(self, client, stack, cancelled or Event(), lane)
        turn._begin(returning=False)
        try:
            yield turn
        finally:
            turn._end()

    def _enter(self, client: str, stack: str, cancelled: Event, lane: Lane, returning: bool) -> None:
        with self._changed:
            if not returning:
                self._check_room(client, lane)
            ticket = _Ticket(client, stack, next(self._numbers), lane)
            self._tickets.append(ticket)
            self._grant()
            try:
                while not ticket.granted:
                    self._check_open()
                    if cancelled.is_set():
                        raise Cancelled(CANCELLED_BEFORE if lane in ("heavy", "download") else CANCELLED)
                    self._changed.wait(POLL_SECONDS)
            except BaseException:
                self._tickets.remove(ticket)
                raise

    def _leave(self, client: str, lane: Lane, seconds: float) -> None:
        with self._changed:
            now = self.clock()
            before = self._used.pop(client, _Used())
            self._used[client] = _Used(before.now(now) + seconds, now)
            while len(self._used) > REMEMBERED:
                self._used.popitem(last=False)
            self._running[lane] -= 1
            self._grant()

    def _check_open(self) -> None:
        if self._stopped_at is not None:
            raise Busy("The server is shutting down. Try again in a minute.")

    def _check_time_left(self) -> None:
        if self._stopped_at is not None and time.monotonic() - self._stopped_at > STOP_SECONDS:
            self._check_open()

    def _check_room(self, client: str, lane: Lane) -> None:
        self._check_open()
        limits = self._limits[lane]
        if self._running[lane] < limits.running:
            return
        waiting = self._tickets_of(lane)
        if len(waiting) >= limits.waiting:
            when = "minutes" if lane in ("heavy", "download") else "seconds"
            raise Busy(f"The server is busy. Try again in a few {when}.")
        if sum(ticket.client == client for ticket in waiting) >= limits.waiting_per_client:
            raise TooManyRequests(
                "You have many requests waiting already. Wait for their answers before you send more."
            )

    def _tickets_of(self, lane: Lane) -> list[_Ticket]:
        return [ticket for ticket in self._tickets if ticket.lane == lane]

    def _grant(self) -> None:
        """Give free turns to those whose turn it is. The lock is held."""
        while ready := [one for one in self._tickets if self._running[one.lane] < self._limits[one.lane].running]:
            ticket = min(ready, key=self._rank)
            self._tickets.remove(ticket)
            for key in ((ticket.client,), (ticket.client, ticket.stack)):
                self._served[key] = next(self._numbers)
                self._served.move_to_end(key)
            while len(self._served) > REMEMBERED:
                self._served.popitem(last=False)
            self._running[ticket.lane] += 1
            ticket.granted = True
            self._changed.notify_all()

    def _rank(self, ticket: _Ticket) -> tuple[int, int, int, int]:
        used = int(self._used.get(ticket.client, _Used()).now(self.clock()) / EQUAL_SECONDS)
        client = self._served.get((ticket.client,), 0)
        stack = self._served.get((ticket.client, ticket.stack), 0)
        return used, client, stack, ticket.number
