"""Who does which unit when: the driver of a job. It holds a few units at a time, however many there are.

A worker that dies takes its unit with it. The first time the unit is simply done again; when it has taken two workers,
it is looked at file by file, and a file that ends two workers by itself is set aside in a row that says so.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from core.base.errors import AppError, WorkersLost
from core.batch.manifest import Unit
from core.batch.parts import Outcome
from core.batch.stores import brief

DEATHS = 2  # of workers, until a unit, or then a file, is the one to blame
STARTS_LOST = 5  # one after the other, until no more are made
POLL_SECONDS = 1.0
WORKER_DIED = "worker_died"
_SET_ASIDE = "The file ended the program that looked at it, twice; it is set aside. Look at it by itself."


@dataclass(frozen=True, slots=True)
class Call:
    """A method of ``core.batch.worker.Worker`` and what it is given; ``of`` is for who asked."""

    method: str
    arguments: tuple[Any, ...]
    of: Any = None


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a call: a result, or an error, or its worker died, perhaps not by it (``suspect``)."""

    call: Call
    result: Any = None
    error: Exception | None = None
    died: bool = False
    suspect: bool = False


class Crew(Protocol):
    """Workers, of which dead ones are replaced."""

    @property
    def free(self) -> int:
        """Calls that can be given now."""
        ...

    def give(self, call: Call) -> None:
        """Have a worker do it; only where one is ``free``."""
        ...

    def next(self, timeout: float) -> Done | None:
        """Wait for a call to end, for at most so many seconds. The call ``start`` of every worker is among them."""
        ...


@dataclass(slots=True)
class Progress:
    """How far this run is. Seconds count from when the first worker was ready."""

    units: int = 0
    bytes: int = 0
    rows: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    deaths: int = 0
    workers: int = 0
    _ready: float | None = None

    @property
    def seconds(self) -> float:
        """Since there was somebody to work."""
        return 0.0 if self._ready is None else time.monotonic() - self._ready

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds if self.seconds else 0.0

    def started(self) -> None:
        """A worker is ready."""
        self.workers += 1
        if self._ready is None:
            self._ready = time.monotonic()

    def took(self, unit: Unit, outcome: Outcome) -> None:
        """A unit is done."""
        self.units += 1
        self.bytes += unit.bytes
        self.rows += outcome.rows
        self.errors.update(outcome.errors)


def run(
    crew: Crew,
    units: Iterator[Unit],
    *,
    agree: Callable[[Mapping[str, Any]], None] = lambda facts: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Have all ``units`` done, each once.

    Args:
        agree: gets what each worker says of itself, and raises where it is not what the others said.
        on_progress: called whenever something ended, and every ``POLL_SECONDS``.

    Raises:
        WorkersLost: workers die before they do anything.
        AppError: of ``agree``, or of a worker's own: a full disk, a store that cannot be reached, no such model. What
            is written by then stays, and the next run goes on there.
    """
    return _Run(crew, units, agree, on_progress).all()


@dataclass(slots=True)
class _Carefully:
    """A unit that is looked at item by item, one call at a time."""

    unit: Unit
    names: list[str] | None = None
    tables: list[pa.Table] = field(default_factory=list)
    deaths: int = 0

    def call(self) -> Call:
        """What is next."""
        if self.names is None:
            if self.deaths < DEATHS or not self.unit.slices:
                return Call("items", (self.unit,), self)
            # The archive itself is to blame, of which nobody knows the names: one row for all of it.
            return Call("lost", (self.unit, "", WORKER_DIED, _SET_ASIDE), self)
        place = len(self.tables)
        if place == len(self.names):
            return Call("finish", (self.unit, pa.concat_tables(self.tables)), self)
        if self.deaths >= DEATHS:
            return Call("lost", (self.unit, self.names[place], WORKER_DIED, _SET_ASIDE), self)
        return Call("look", (self.unit, [place]), self)

    def took(self, done: Done) -> None:
        """An item is done."""
        self.deaths = 0
        if done.call.method == "items":
            self.names = done.result
            return
        if self.names is None:
            self.names = [""]
        self.tables.append(done.result)


class _Run:
    def __init__(
        self,
        crew: Crew,
        units: Iterator[Unit],
        agree: Callable[[Mapping[str, Any]], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._crew = crew
        self._units = units
        self._agree = agree
        self._on_progress = on_progress
        self._progress = Progress()
        self._again: deque[Unit] = deque()
        self._careful: deque[_Carefully] = deque()
        self._deaths: Counter[int] = Counter()  # by unit; of those that are not done
        self._starts_lost = 0
        self._given = 0

    def all(self) -> Progress:
        while True:
            while self._crew.free and (call := self._next_call()):
                self._crew.give(call)
                self._given += 1
            if not self._given and not self._again and not self._careful and self._crew.free:
                return self._progress
            if done := self._crew.next(POLL_SECONDS):
                self._take(done)
            self._on_progress(self._progress)

    def _next_call(self) -> Call | None:
        if self._careful:
            return self._careful.popleft().call()
        if self._again:
            return _of(self._again.popleft())
        unit = next(self._units, None)
        return None if unit is None else _of(unit)

    def _take(self, done: Done) -> None:
        if done.call.method == "start":
            self._take_start(done)
            return
        self._given -= 1
        if done.error is not None:
            raise _told(done.error)
        if done.died:
            self._take_death(done)
            return
        of = done.call.of
        if isinstance(of, Unit) or done.call.method == "finish":
            unit = of if isinstance(of, Unit) else of.unit
            self._deaths.pop(unit.number, None)
            self._progress.took(unit, done.result)
        else:
            of.took(done)
            self._careful.append(of)

    def _take_start(self, done: Done) -> None:
        if done.error is not None:
            raise _told(done.error)
        if done.died:
            self._starts_lost += 1
            if self._starts_lost >= STARTS_LOST:
                raise WorkersLost(
                    f"{STARTS_LOST} workers have died one after the other before they did anything. Look at the memory "
                    "of the machines, and at Ray's logs."
                )
            return
        self._starts_lost = 0
        self._agree(done.result)
        self._progress.started()

    def _take_death(self, done: Done) -> None:
        self._progress.workers -= done.suspect  # each dead worker has one suspect
        self._progress.deaths += done.suspect
        of = done.call.of
        if isinstance(of, _Carefully):
            of.deaths += done.suspect
            self._careful.append(of)
            return
        self._deaths[of.number] += done.suspect
        if self._deaths[of.number] >= DEATHS:
            self._careful.append(_Carefully(of))
        else:
            self._again.append(of)


def _told(error: Exception) -> AppError:
    """What a worker raised, as something that a person is told."""
    if isinstance(error, AppError):
        return error
    told = WorkersLost(f"A worker has failed in a way that nobody foresaw ({brief(error)}); please report it.")
    told.__cause__ = error
    return told


def _of(unit: Unit) -> Call:
    return Call("do", (unit,), unit)
