"""A job's results, read in a process of its own: what is there at once, and what the limits of that process refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.base.errors import OutcomeInvalid
from core.batch.outcome.facts import JobFacts
from core.batch.outcome.outcome import Outcome
from core.batch.outcome.read_parts import FIRST_ROWS
from core.stacks.store import StackStore
from tests.helpers import wait_until
from tests.outcomes import MADE_UP, row_of, write_outcome

FACTS = JobFacts(source="/photos", **MADE_UP)  # type: ignore[arg-type]
MakeOutcome = Callable[..., Outcome]


@pytest.fixture
def make(tmp_path: Path, store: StackStore) -> Iterator[MakeOutcome]:
    """Of a folder with as many rows as are shown first, and some more in a second part."""
    rows = [row_of(f"/photos/{number}.png", ("cat", 0.5)) for number in range(FIRST_ROWS)]
    folder = write_outcome(tmp_path / "job", "/photos", [rows, rows[:10]])
    yield lambda **limits: Outcome(folder, FACTS, tmp_path / "scratch", store.share("somebody"), **limits)
    wait_until(lambda: store.usage.bytes == 0, "the room is given back")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_first_rows_are_there_before_all_and_stay_where_others_are_damaged(
    tmp_path: Path, make: MakeOutcome
) -> None:
    assert len(make().rows()) == FIRST_ROWS + 10
    (tmp_path / "job" / "parts" / "000000001.parquet").write_bytes(b"no part")
    outcome = make()
    assert len(outcome.first) == FIRST_ROWS
    for _ in range(2):
        with pytest.raises(OutcomeInvalid, match="is damaged"):
            outcome.rows()
    assert outcome.ready


def test_what_would_take_more_room_than_there_may_be_is_refused(make: MakeOutcome) -> None:
    with pytest.raises(OutcomeInvalid, match="cannot be taken in"):
        make(max_bytes=10_000)
