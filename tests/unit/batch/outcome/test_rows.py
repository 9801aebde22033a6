"""All rows of a job: found by what is wanted as a plain look at each row finds them, whatever the parts hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import OutcomeInvalid
from core.batch.outcome.read_parts import read
from core.batch.outcome.rows import OutcomeRows, RowKind, RowOrder, Wish
from core.batch.parts import SCHEMA
from tests.outcomes import row_of, write_outcome

LABELS = ("cat", "dog", "Katze, groß")
PARTS, ROWS = 3, 40


class Told:
    """What a process that reads would tell."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}

    def send(self, event: str, **values: Any) -> None:
        self.events[event] = values


def rows_in(folder: Path, target: Path, *, max_rows: int = 1_000) -> OutcomeRows:
    told = Told()
    read(told, str(folder), str(target), max_rows)  # type: ignore[arg-type]
    first, found = (
        OutcomeRows(Path(one["path"]), one["labels"], one["written"])
        for one in (told.events["first"], told.events["all"])
    )
    few = range(len(first))
    assert first.take(few) == found.take(few)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[OutcomeRows, list[dict[str, Any]]]:
    """Rows of three parts, and the same as the parts themselves say; one in nine is an error."""
    folder, random = tmp_path_factory.mktemp("job"), np.random.default_rng(3)
    parts = [
        [
            row_of(f"/photos/{part}/Photo {number}.png", error_code="image_invalid", error="Damaged.")
            if number % 9 == 4
            else row_of(
                f"/photos/{part}/Photo {number}.png",
                *(
                    (LABELS[(place + number) % 3], float(share))
                    for place, share in enumerate(random.dirichlet([1, 1, 1]))
                ),
                known=float(random.random()) / 8,
                member="inside/CAT.png" if number % 7 == 0 else None,
            )
            for number in range(ROWS)
        ]
        for part in range(PARTS)
    ]
    write_outcome(folder / "job", "/photos", parts)
    rows = rows_in(folder / "job", folder / "rows.arrow")
    return rows, pq.read_table(folder / "job" / "parts").to_pylist()


@given(
    label=st.sampled_from([None, *LABELS, "no such"]),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    kind=st.sampled_from(["all", "known", "unknown", "errors"]),
    name=st.sampled_from(["", "photo 1", "cat", "nowhere"]),
    order=st.sampled_from(["job", "least sure", "surest", "least known"]),
)
def test_what_is_found_is_what_a_look_at_each_row_finds(
    made: tuple[OutcomeRows, list[dict[str, Any]]],
    label: str | None,
    shares: tuple[float, float],
    kind: RowKind,
    name: str,
    order: RowOrder,
) -> None:
    rows, plain = made
    least, most = (float(np.float32(share)) for share in sorted(shares))

    def sure(row: dict[str, Any]) -> float:
        return math.nan if row["known"] is False or row["confidence"] is None else float(row["confidence"])

    def fits(row: dict[str, Any]) -> bool:
        inside = f"{row['path']}\n{row['member'] or ''}".lower()
        return (
            label in (None, row["class"])
            and (least <= 0 or sure(row) >= least)
            and (most >= 1 or sure(row) <= most)
            and {"all": True, "errors": row["error"] is not None}.get(kind, row["known"] is (kind == "known"))
            and name in inside
        )

    wanted = [number for number, row in enumerate(plain) if fits(row)]
    keys: dict[str, Callable[[int], float]] = {
        "job": lambda number: 0.0,
        "least sure": lambda number: sure(plain[number]),
        "surest": lambda number: -sure(plain[number]),
        "least known": lambda number: math.nan if (known := plain[number]["known_score"]) is None else known,
    }
    key = keys[order]
    wanted.sort(key=lambda number: (math.isnan(key(number)), 0.0 if math.isnan(key(number)) else key(number)))
    assert rows.find(Wish(label, least, most, kind, name, order)).tolist() == wanted


@given(st.lists(st.integers(0, PARTS * ROWS - 1), max_size=20))
def test_rows_are_taken_in_any_order(made: tuple[OutcomeRows, list[dict[str, Any]]], numbers: list[int]) -> None:
    rows, plain = made
    found = rows.take(numbers)
    assert [row.number for row in found] == numbers
    for row in found:
        own = plain[row.number]
        assert (row.path, row.member, row.frame, row.size, row.error) == (
            *(own["path"], own["member"], own["frame"], own["size"], own["error"]),
        )
        scores = [(score["class"], score["confidence"]) for score in own["top5"] or []]
        assert [(score.label, score.confidence) for score in (row.answer.top if row.answer else ())] == scores
        assert (row.answer.known_score if row.answer else None) == own["known_score"]
        assert row.written > 0


def test_classes_are_counted(made: tuple[OutcomeRows, list[dict[str, Any]]]) -> None:
    rows, plain = made
    led = [row["class"] for row in plain if row["class"]]
    assert rows.counts() == {label: led.count(label) for label in LABELS}
    assert list(rows.counts().values()) == sorted(rows.counts().values(), reverse=True)


def column(name: str, value: Any, kind: pa.DataType | None = None) -> Callable[[pa.Table], pa.Table]:
    """Puts the same value into a column."""

    def change(table: pa.Table) -> pa.Table:
        place = table.schema.names.index(name)
        return table.set_column(place, name, pa.array([value] * table.num_rows, kind or SCHEMA.field(name).type))

    return change


SIX = [{"class": "cat", "confidence": 0.1}] * 6


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns(["top5"]),
        lambda table: table.drop_columns(["path"]),
        column("frame", "one", pa.string()),
        column("class", 7, pa.int64()),
        column("top5", SIX),
        column("top5", "cat", pa.string()),
        column("top5", [{"class": "cat"}], pa.list_(pa.struct([("class", pa.string())]))),
        column("class", "two\nlines"),
        column("class", "c" * 300),
        column("class", "c" * 1_000_000),
        column("path", "p" * 1_000_000),
        column("member", "m" * 5_000),
        column("error", "e" * 5_000),
        column("size", 2.5, pa.float64()),
    ],
    ids=[
        *("no answers", "no paths", "frames are texts", "classes are numbers", "six classes", "answers are texts"),
        *("no confidences", "a class of two lines", "a long class", "a class of a megabyte", "a path of a megabyte"),
        *("a long name", "a long sentence", "sizes are no whole numbers"),
    ],
)
def test_parts_of_something_else_are_refused_in_a_sentence(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table]
) -> None:
    folder = write_outcome(tmp_path / "job", "", [[row_of("/a.png", ("cat", 0.5))] * 3] * 2)
    part = folder / "parts" / "000000001.parquet"
    pq.write_table(change(pq.read_table(part)), part)
    with pytest.raises(OutcomeInvalid) as refusal:
        rows_in(folder, tmp_path / "rows.arrow")
    assert str(refusal.value).endswith(".") and len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    ("name", "value"), [("confidence", math.nan), ("confidence", 7.0), ("known_score", -1.0), ("frame", -3)]
)
def test_numbers_that_make_no_sense_are_none(tmp_path: Path, name: str, value: float) -> None:
    folder = write_outcome(tmp_path / "job", "", [[row_of("/a.png", ("cat", 0.5), known=0.5)]])
    part = folder / "parts" / "000000000.parquet"
    pq.write_table(column(name, value)(pq.read_table(part)), part)
    rows = rows_in(folder, tmp_path / "rows.arrow")
    [row] = rows.take([0])
    assert row.frame == 0
    assert row.answer is not None
    assert row.answer.known_score == (None if name == "known_score" else 0.5)
    assert len(rows.find(Wish(least=0.1))) == (0 if name == "confidence" else 1)


@pytest.mark.parametrize("spoil", ["cut off", "no Parquet", "empty", "a link", "a folder"])
def test_damaged_parts_are_named(tmp_path: Path, spoil: str) -> None:
    folder = write_outcome(tmp_path / "job", "", [[row_of("/a.png", ("cat", 0.5))]] * 2)
    part, good = folder / "parts" / "000000001.parquet", folder / "parts" / "000000000.parquet"
    data = part.read_bytes()
    part.unlink()
    if spoil == "a link":
        part.symlink_to(good)
    elif spoil == "a folder":
        part.mkdir()
    else:
        part.write_bytes({"cut off": data[:-40], "no Parquet": b"PAR1" + bytes(99), "empty": b""}[spoil])
    with pytest.raises(OutcomeInvalid, match=r"parts/000000001\.parquet"):
        rows_in(folder, tmp_path / "rows.arrow")


def test_more_rows_than_allowed_are_refused(tmp_path: Path) -> None:
    folder = write_outcome(tmp_path / "job", "", [[row_of("/a.png", ("cat", 0.5))] * 3] * 2)
    assert len(rows_in(folder, tmp_path / "rows.arrow", max_rows=6)) == 6
    for most in (5, 2):
        with pytest.raises(OutcomeInvalid, match="more than"):
            rows_in(folder, tmp_path / "rows.arrow", max_rows=most)


def test_drafts_and_other_files_are_no_parts_and_shards_are(tmp_path: Path) -> None:
    folder = write_outcome(tmp_path / "job", "", [[row_of("/a.png", ("cat", 0.5))]])
    write_outcome(folder / "shard-0001-of-0002", "", [[row_of("/b.png", ("dog", 0.5))]])
    for name in (".000000003.parquet.x.partial", "notes.txt", "3.parquet"):
        (folder / "parts" / name).write_bytes(b"no part")
    rows = rows_in(folder, tmp_path / "rows.arrow")
    assert [row.path for row in rows.take(range(len(rows)))] == ["/a.png", "/b.png"]
