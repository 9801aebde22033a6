"""The driver, with workers that die when the test says so: every row once, and only the file to blame set aside."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.errors import DiskFull, WorkersLost
from core.batch.listing import Listed
from core.batch.manifest import Unit
from core.batch.parts import Outcome
from core.batch.run import Call, Done, run

pytestmark = pytest.mark.batch
UNITS = [Unit(number, tuple(Listed(f"/{number}/{name}", 1, 1) for name in "abc")) for number in range(4)]
ARCHIVE = Unit(4, (Listed("/x.zip", 3, 1),), 0, 1)


class Dies(Exception):
    """The worker is gone."""


class Stub:
    """What workers do, without images: writes names to ``parts``, and dies of names in ``poison``."""

    def __init__(self, poison: set[str]) -> None:
        self.poison = poison
        self.parts: dict[int, list[str]] = {}
        self.written: Counter[int] = Counter()

    def start(self) -> dict[str, str]:
        return {"engine": "stub"}

    def items(self, unit: Unit) -> list[str]:
        if unit.files[0].path in self.poison and unit.slices:
            raise Dies
        return [file.path for file in unit.files]

    def look(self, unit: Unit, only: list[int]) -> pa.Table:
        names = [unit.files[position].path for position in only]
        if self.poison & set(names):
            raise Dies
        return pa.table({"name": names})

    def lost(self, unit: Unit, name: str, code: str, sentence: str) -> pa.Table:
        return pa.table({"name": [f"{code} {name or unit.files[0].path}"]})

    def finish(self, unit: Unit, rows: pa.Table) -> Outcome:
        self.parts[unit.number] = rows.column("name").to_pylist()
        self.written[unit.number] += 1
        return Outcome(rows.num_rows)

    def do(self, unit: Unit) -> Outcome:
        return self.finish(unit, self.look(unit, list(range(len(unit.files)))))


class StubCrew:
    """Two workers of a ``Stub`` that do a call when they are asked for one; ``kills`` says which calls they die in."""

    def __init__(self, stub: Stub, kills: Iterable[bool] = ()) -> None:
        self.stub = stub
        self.kills = iter(kills)
        self.workers: deque[deque[Call]] = deque(deque([Call("start", ())]) for _ in range(2))
        self.ended: deque[Done] = deque()
        self.ready: set[int] = set()
        self.most_given = 0

    @property
    def free(self) -> int:
        return sum(2 - len(calls) for calls in self.workers if id(calls) in self.ready)

    def give(self, call: Call) -> None:
        min((one for one in self.workers if id(one) in self.ready), key=len).append(call)
        self.most_given = max(self.most_given, sum(map(len, self.workers)))

    def next(self, timeout: float) -> Done | None:
        if self.ended:
            return self.ended.popleft()
        self.workers.rotate(-1)
        calls = next((calls for calls in self.workers if calls), None)
        if calls is None:
            return None
        call = calls.popleft()
        try:
            if next(self.kills, False):
                raise Dies
            result = getattr(self.stub, call.method)(*call.arguments)
        except Dies:
            self.ended.extend(Done(other, died=True) for other in calls)
            self.ready.discard(id(calls))
            calls.clear()
            calls.append(Call("start", ()))
            return Done(call, died=True, suspect=True)
        except Exception as error:
            return Done(call, error=error)
        if call.method == "start":
            self.ready.add(id(calls))
        return Done(call, result)


def files(units: list[Unit]) -> list[str]:
    return sorted(file.path for unit in units for file in unit.files)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=14))
def test_whatever_calls_workers_die_in_every_row_is_there_once(kills: list[bool]) -> None:
    # Never five starts in a row: that is another test.
    calm = [kill and kills[max(0, place - 3) : place] != [True] * 3 for place, kill in enumerate(kills)]
    stub = Stub(set())
    progress = run(StubCrew(stub, calm), iter(UNITS))
    names = [name.removeprefix("worker_died ") for part in stub.parts.values() for name in part]
    assert sorted(names) == files(UNITS)
    assert set(stub.written.values()) == {1}
    assert progress.units == len(UNITS)
    assert progress.rows == len(names)


def test_the_file_that_ends_workers_is_set_aside_by_name_and_no_other() -> None:
    stub = Stub({"/1/b", "/3/a"})
    progress = run(StubCrew(stub), iter(UNITS))
    names = sorted(name for part in stub.parts.values() for name in part)
    assert [name for name in names if name.startswith("worker_died")] == ["worker_died /1/b", "worker_died /3/a"]
    assert [name for name in names if "worker_died" not in name] == sorted({*files(UNITS)} - {"/1/b", "/3/a"})
    assert progress.deaths == 8  # each file two with its unit, and two alone


def test_an_archive_that_ends_whoever_opens_it_is_one_row() -> None:
    class Opens(Stub):
        def do(self, unit: Unit) -> Outcome:
            self.items(unit)
            return super().do(unit)

    stub = Opens({"/x.zip"})
    run(StubCrew(stub), iter([*UNITS, ARCHIVE]))
    assert stub.parts[4] == ["worker_died /x.zip"]


def test_a_death_that_comes_once_sets_nothing_aside_and_looks_at_no_file_alone() -> None:
    calls: list[str] = []

    class Watched(Stub):
        def look(self, unit: Unit, only: list[int]) -> pa.Table:
            calls.append(f"{unit.number} {only}")
            return super().look(unit, only)

    stub = Watched(set())
    run(StubCrew(stub, [False, False, True]), iter(UNITS))
    assert all(call.endswith("[0, 1, 2]") for call in calls)
    assert sorted(name for part in stub.parts.values() for name in part) == files(UNITS)


def test_few_units_are_taken_ahead() -> None:
    taken = 0

    def units() -> Iterator[Unit]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield Unit(number, (Listed(f"/{number}", 1, 1),))

    stub = Stub(set())
    most_ahead = 0

    def watch(progress: Any) -> None:
        nonlocal most_ahead
        most_ahead = max(most_ahead, taken - progress.units)

    run(StubCrew(stub), units(), on_progress=watch)
    assert len(stub.parts) == 100
    assert most_ahead <= 4


def test_workers_that_never_start_end_the_run() -> None:
    with pytest.raises(WorkersLost, match="one after the other"):
        run(StubCrew(Stub(set()), [True] * 5), iter(UNITS))


def test_an_error_of_a_worker_ends_the_run_with_its_sentence() -> None:
    class Full(Stub):
        def finish(self, unit: Unit, rows: pa.Table) -> Outcome:
            raise DiskFull("The disk is full.")

    stub = Full(set())
    with pytest.raises(DiskFull, match="The disk is full"):
        run(StubCrew(stub), iter(UNITS))
    assert stub.parts == {}


def test_an_error_that_nobody_foresaw_is_told_too() -> None:
    class Wrong(Stub):
        def do(self, unit: Unit) -> Outcome:
            raise KeyError("nothing")

    with pytest.raises(WorkersLost, match="nobody foresaw"):
        run(StubCrew(Wrong(set())), iter(UNITS))


def test_a_worker_that_says_something_else_than_the_job_is_not_used() -> None:
    def refuse(facts: Any) -> None:
        raise DiskFull(f"refused {facts['engine']}")

    stub = Stub(set())
    with pytest.raises(DiskFull, match="refused stub"):
        run(StubCrew(stub), iter(UNITS), agree=refuse)
    assert stub.parts == {}
