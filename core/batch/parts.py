"""The rows of the results: one for each image, and one for each file of which no image came."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.base.disk import disk_errors
from core.base.errors import OutputRefused
from core.batch.output import Output
from core.batch.stores import store_errors, write_whole
from core.recognition.results import THRESHOLD, Answer

_TOP = pa.list_(pa.struct([("class", pa.string()), ("confidence", pa.float32())]))
_NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("member", pa.string()),
        ("frame", pa.int32()),
        ("class", pa.string()),
        ("confidence", pa.float32()),
        ("known", pa.bool_()),
        ("known_score", pa.float32()),
        ("top5", _TOP),
        ("features", pa.list_(pa.float32())),
        ("size", pa.int64()),
        ("sha256", pa.string()),
        ("seconds", pa.float32()),
        ("error_code", pa.string()),
        ("error", pa.string()),
        ("model", _NAME),
        ("model_checksum", _NAME),
        ("engine", _NAME),
        ("engine_checksum", _NAME),
    ]
)
_READERS = 8  # of the ends of parts, which wait for a store rather than compute
CONSTANT = ("model", "model_checksum", "engine", "engine_checksum")


@dataclass(slots=True)
class Row:
    """One row before it is written.

    Attributes:
        path: address of the file.
        member: the image in the archive that the file is; None where it is none.
        frame: position in the file, from 0; None where the file could not be read at all.
        answer: what the engine says; None where there is an error.
        features: float32 ``[F]``, where they are kept.
        size: of the file, or of the member, in bytes.
        seconds: decoding and this image's share of the inference.
    """

    path: str
    member: str | None
    frame: int | None
    size: int
    answer: Answer | None = None
    features: NDArray[np.float32] | None = None
    sha256: str | None = None
    seconds: float = 0.0
    error_code: str | None = None
    error: str | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a unit: rows written, of them errors by code, and the seconds it took."""

    rows: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def table(rows: Sequence[Row], constant: Mapping[str, str], threshold: float = THRESHOLD) -> pa.Table:
    """Rows as a table of ``SCHEMA``.

    Args:
        constant: the values of ``CONSTANT``.
        threshold: of the known score; see ``Prediction``.
    """
    answers = [row.answer for row in rows]
    best = [answer.top[0] if answer and answer.top else None for answer in answers]
    scores = [answer.known_score if answer else None for answer in answers]
    columns: dict[str, Any] = {
        **{name: [getattr(row, name) for row in rows] for name in SCHEMA.names if name in Row.__dataclass_fields__},
        "class": [one and one.label for one in best],
        "confidence": [one and one.confidence for one in best],
        "known": [None if score is None else score >= threshold for score in scores],
        "known_score": scores,
        "top5": [
            [{"class": one.label, "confidence": one.confidence} for one in answer.top] if answer else None
            for answer in answers
        ],
        **{name: pa.array([constant[name]] * len(rows), pa.string()).dictionary_encode() for name in CONSTANT},
    }
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


@dataclass(frozen=True, slots=True)
class Census:
    """Rows of all parts of a folder, and how many of them are errors."""

    parts: int
    rows: int
    errors: int


def census(output: Output) -> Census:
    """Count what all runs have written, by what the parts say of themselves at their ends.

    Raises:
        StoreUnreachable: they cannot be read.
        OutputRefused: one is damaged; the sentence names it.
    """

    def counted(number: int) -> tuple[int, int]:
        try:
            found = pq.read_metadata(output.part(number), filesystem=output.store.files)
        except pa.ArrowInvalid as error:
            raise OutputRefused(
                f"{output.part(number)} is damaged. Delete it, and run the same command again."
            ) from error
        column = found.schema.names.index("error_code")
        codes = [found.row_group(group).column(column) for group in range(found.num_row_groups)]
        return found.num_rows, sum(one.num_values - one.statistics.null_count for one in codes)

    with store_errors(output.address), ThreadPoolExecutor(_READERS) as pool:
        parts = sorted(output.done())
        counts = list(pool.map(counted, parts))
    return Census(len(parts), sum(rows for rows, _ in counts), sum(errors for _, errors in counts))


def write_part(output: Output, number: int, rows: pa.Table, seconds: float) -> Outcome:
    """Have the rows of a unit appear as its part; said again, they take the place of the same rows.

    Raises:
        DiskFull: no room for them.
        OSError: the store takes none.
    """
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression="zstd")
    with disk_errors():
        write_whole(output.store, output.part(number), buffer.getbuffer())
    counts = pc.value_counts(rows.column("error_code").drop_null()).to_pylist()
    return Outcome(rows.num_rows, {item["values"]: item["counts"] for item in counts}, seconds)
