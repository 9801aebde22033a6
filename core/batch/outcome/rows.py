"""All rows of a job, as the process that read them has written them: filtered and sorted by Arrow, taken by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.recognition.results import Answer, ClassScore

if TYPE_CHECKING:
    import pyarrow as pa

RowKind = Literal["all", "known", "unknown", "errors"]
RowOrder = Literal["job", "least sure", "surest", "least known"]
_SORTED_BY: dict[RowOrder, tuple[str, str]] = {
    "least sure": ("sure", "ascending"),
    "surest": ("sure", "descending"),
    "least known": ("known_score", "ascending"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """Which rows are wanted, and in which order; an image that shows none of the classes has no confidence.

    Attributes:
        label: of the first class; None for any.
        least, most: confidence, 0..1.
        name: part of the path or of the name in an archive, whatever the case.
    """

    label: str | None = None
    least: float = 0.0
    most: float = 1.0
    kind: RowKind = "all"
    name: str = ""
    order: RowOrder = "job"


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One row: see ``core.batch.parts.Row``. ``number`` is its own; ``written`` is when its part was (ns)."""

    number: int
    path: str
    member: str | None
    frame: int
    size: int
    written: int
    answer: Answer | None
    error: str | None


class OutcomeRows:
    """The rows of a file that ``read_parts`` has written. Safe from any thread; nothing of it is held in memory."""

    def __init__(self, path: Path, labels: Sequence[str], written: Sequence[int]) -> None:
        """``written`` is when each part was, in nanoseconds. The file may lose its name afterwards."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.labels = tuple(labels)
        self._written = written
        self._table: Any = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        self._ends = np.cumsum([len(chunk) for chunk in self._table["path"].chunks], dtype=np.int64)
        unknown = pc.equal(self._table["known"], False).fill_null(False)
        sure = pc.if_else(unknown, None, self._table["confidence"])
        self._table = self._table.append_column("sure", sure)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def counts(self) -> dict[str, int]:
        """How many images each class leads, classes without any left out, most frequent first."""
        import pyarrow.compute as pc

        counted = pc.value_counts(self._table["class"].drop_null())
        found = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
        return {self.labels[place]: count for place, count in sorted(found, key=lambda one: (-one[1], one[0]))}

    def find(self, wish: Wish) -> NDArray[np.int64]:
        """The numbers of the rows that are wanted, int64 ``[N]``, in order; equals stay in the order of the job."""
        import pyarrow.compute as pc

        tests = self._tests(wish)
        mask = tests[0] if tests else None
        for test in tests[1:]:
            mask = pc.and_(mask, test)
        everything = np.arange(len(self), dtype=np.int64)
        rows = everything if mask is None else everything[mask.fill_null(False).to_numpy()]
        if wish.order == "job":
            return rows
        column, direction = _SORTED_BY[wish.order]
        keys = self._table[column].to_numpy()[rows]  # NaN where there is none, which sorts last
        order = np.argsort(keys if direction == "ascending" else -keys, kind="stable")
        found: NDArray[np.int64] = rows[order]
        return found

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> list[OutcomeRow]:
        """These rows, in this order."""
        import pyarrow as pa

        wanted = np.asarray(numbers, np.int64)
        order = np.argsort(wanted, kind="stable")
        ascending = wanted[order]
        starts = np.concatenate([[0], self._ends])
        # Chunk by chunk: Arrow would make one array of all texts first.
        pieces = [
            self._table.slice(start, end - start).take(ascending[low:high] - start)
            for start, end, low, high in zip(
                starts[:-1], self._ends, *np.searchsorted(ascending, [starts[:-1], self._ends]), strict=True
            )
            if high > low
        ]
        rows = pa.concat_tables(pieces).to_pylist() if pieces else []
        found: list[OutcomeRow] = [_NONE] * len(rows)
        for place, number, row in zip(order, ascending, rows, strict=True):
            found[place] = self._row(int(number), row)
        return found

    def _tests(self, wish: Wish) -> list[pa.ChunkedArray]:
        import pyarrow.compute as pc

        table = self._table
        tests: list[Any] = []
        if wish.label is not None:
            place = self.labels.index(wish.label) if wish.label in self.labels else -1
            tests.append(pc.equal(table["class"], place))
        if wish.least > 0.0:
            tests.append(pc.greater_equal(table["sure"], np.float32(wish.least)))
        if wish.most < 1.0:
            tests.append(pc.less_equal(table["sure"], np.float32(wish.most)))
        if wish.kind in ("known", "unknown"):
            tests.append(pc.equal(table["known"], wish.kind == "known"))
        elif wish.kind == "errors":
            tests.append(pc.is_valid(table["error"]))
        if wish.name:
            inside = [pc.match_substring(table[name], wish.name, ignore_case=True) for name in ("path", "member")]
            tests.append(pc.or_(*(one.fill_null(False) for one in inside)))
        return tests

    def _row(self, number: int, row: dict[str, Any]) -> OutcomeRow:
        top = tuple(
            ClassScore(self.labels[place], confidence)
            for place, confidence in zip(row["top_classes"], row["top_confidences"], strict=True)
            if place >= 0
        )
        return OutcomeRow(
            number=number,
            path=row["path"] or "",
            member=row["member"],
            frame=max(row["frame"] or 0, 0),
            size=max(row["size"] or 0, 0),
            written=self._written[row["part"]],
            answer=Answer(top, row["known_score"]) if top else None,
            error=row["error"],
        )


_NONE = OutcomeRow(-1, "", None, 0, 0, 0, None, None)
