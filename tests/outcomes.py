"""Results of a batch job as ``scripts.batch`` writes them, of rows that a test makes up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.batch.output import Output
from core.batch.parts import Row, table, write_part
from core.recognition.results import Answer, ClassScore

MADE_UP = {
    "model": "made up",
    "model_checksum": "0123456789abcdef",
    "engine": "openvino-int8",
    "engine_checksum": "fedcba987654",
}


def write_outcome(folder: Path, source: str, parts: Sequence[Sequence[Row]], **facts: str) -> Path:
    """Results of a job about ``source`` in ``folder``, with these rows in each part."""
    told = {**MADE_UP, **facts}
    output = Output(str(folder))
    output.prepare({"source": source, **told})
    output.agree("engine", told)
    for number, rows in enumerate(parts):
        write_part(output, number, table(rows, told), 0.0)
    return folder


def row_of(path: Path | str, *scores: tuple[str, float], known: float | None = None, **fields: object) -> Row:
    """A row about a file as it is now, with the classes ``scores``, best first."""
    size = Path(path).stat().st_size if Path(path).exists() else 0
    answer = Answer(tuple(ClassScore(*score) for score in scores), known) if scores else None
    return Row(**{"path": str(path), "member": None, "frame": 0, "size": size, "answer": answer, **fields})
