"""Reading the parts of a job in a process of its own, which the system holds to limits; ``rows`` is its other end.

Parquet is read by native code, and a small file can stand for terabytes. Whatever the parts hold, this process ends
within its limits, and what it writes is one Arrow file of checked columns.
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.base.errors import LabelsInvalid, OutcomeInvalid
from core.base.held_folder import HeldFolder
from core.base.process_limits import limit, limit_memory
from core.base.settings import MIB
from core.base.worker_main import Events, serve
from core.models.labels import clean_label

MAX_PARTS = 1_000_000
MAX_LABELS = 100_000
MAX_TEXT = 4_096  # bytes of a path, a name or a sentence
MEMORY_BYTES = 2_048 * MIB  # beyond what is there at the start
CPU_SECONDS = 300
BATCH_ROWS = 65_536  # of the file that is written
FIRST_ROWS = 2_000
TOP = 5
SCHEMA = pa.schema(
    [
        ("part", pa.int32()),
        ("path", pa.string()),
        ("member", pa.string()),
        ("frame", pa.int32()),
        ("size", pa.int64()),
        ("class", pa.int32()),
        ("confidence", pa.float32()),
        ("known", pa.bool_()),
        ("known_score", pa.float32()),
        ("top_classes", pa.list_(pa.int32(), TOP)),
        ("top_confidences", pa.list_(pa.float32(), TOP)),
        ("error", pa.string()),
    ]
)
"""Of what is written: classes are places in a list of labels; -1, and 0.0, where there are fewer than five."""

_COLUMNS = ["path", "member", "frame", "size", "class", "confidence", "known", "known_score", "top5", "error"]
_TEXTS = ["path", "member", "error", "class"]
_DICTIONARIES = [*_TEXTS, "top5.list.element.class"]
_TYPES = {"part": pa.int32(), "frame": pa.int32(), "size": pa.int64(), "confidence": pa.float32(), "known": pa.bool_(),
          "known_score": pa.float32()}  # fmt: skip
_PART = re.compile(r"\d{9}\.parquet")
_SHARD = re.compile(r"shard-\d{4}-of-\d{4}")
_READERS = 4


def read_within_limits(events: Events, folder: str, target: str, max_rows: int, max_bytes: int) -> None:
    """See ``read``; in this process, for good, no file may grow beyond ``max_bytes``, nor memory beyond its limit."""
    _confine(max_bytes)
    pa.set_memory_pool(pa.system_memory_pool())  # the others reserve what is not theirs under a limit
    read(events, folder, target, max_rows)


def read(events: Events, folder: str, target: str, max_rows: int) -> None:
    """Write all rows to ``target``, and tell the labels and when each part was written (ns).

    The first rows are written by themselves before, and told, so that somebody can begin to look at them.

    Raises:
        OutcomeInvalid: a part is damaged or none of ours, or there are too many rows or bytes.
    """
    held = HeldFolder(Path(folder))
    names = list(_parts(held))
    if not names:
        raise OutcomeInvalid("The job has no results yet. Open the folder again when it has begun.")
    labels: dict[str, int] = {}
    written: list[int] = []
    rows = 0
    try:
        with ThreadPoolExecutor(_READERS) as pool, pa.ipc.new_file(target, SCHEMA) as writer:
            for tables in _several(_ahead(pool, held, names, written, max_rows)):
                batch = _checked(tables, labels)
                if not rows:
                    _write_first(f"{target}.first", batch)
                    events.send("first", path=f"{target}.first", labels=list(labels), written=written)
                rows += batch.num_rows
                if rows > max_rows:
                    raise OutcomeInvalid(f"The job has more than {max_rows:,} rows. Open the folders of its shards.")
                writer.write_batch(batch)
    except pa.ArrowMemoryError as error:
        raise OutcomeInvalid("The results take far more memory than those of such a job do.") from error
    except (pa.ArrowException, ValueError, KeyError, OverflowError) as error:
        raise OutcomeInvalid("The parts hold something else than such a job writes; run it anew.") from error
    except OSError as error:
        raise OutcomeInvalid(f"The results cannot be taken in ({error.strerror or error}).") from error
    except MemoryError as error:
        raise OutcomeInvalid("The results take far more memory than those of such a job do.") from error
    events.send("all", path=target, labels=list(labels), written=written)


def _write_first(path: str, rows: pa.RecordBatch) -> None:
    with pa.ipc.new_file(path, SCHEMA) as writer:
        writer.write_batch(rows)


def _confine(max_bytes: int) -> None:
    """Set before the first part is looked at; the kernel keeps it."""
    limit(resource.RLIMIT_CPU, CPU_SECONDS)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, max_bytes)
    limit_memory(MEMORY_BYTES)


def _parts(held: HeldFolder) -> Iterator[str]:
    """The parts of the job, or of all its shards, in their order."""
    shards = sorted(name for name in _names(held, "") if _SHARD.fullmatch(name))
    count = 0
    for folder in ["parts", *(f"{shard}/parts" for shard in shards)]:
        for name in sorted(name for name in _names(held, folder) if _PART.fullmatch(name)):
            count += 1
            if count > MAX_PARTS:
                raise OutcomeInvalid(f"The job has more than {MAX_PARTS:,} parts. Open the folders of its shards.")
            yield f"{folder}/{name}"


def _names(held: HeldFolder, folder: str) -> list[str]:
    try:
        with held.opened(folder, os.O_DIRECTORY) as descriptor:
            return os.listdir(descriptor)  # noqa: PTH208 - of a descriptor
    except OSError:
        return []


def _ahead(
    pool: ThreadPoolExecutor, held: HeldFolder, names: list[str], written: list[int], max_rows: int
) -> Iterator[pa.Table]:
    """The parts in order, of which a few are read ahead."""
    step = 4 * _READERS
    for start in range(0, len(names), step):
        some = names[start : start + step]
        for number, (table, seen) in enumerate(pool.map(lambda name: _part(held, name, max_rows), some), start):
            written.append(seen)
            yield table.append_column("part", pa.array(np.full(table.num_rows, number, np.int32)))


def _several(tables: Iterator[pa.Table]) -> Iterator[list[pa.Table]]:
    """Enough of them to be worked on at once; at first no more than somebody looks at."""
    waiting: list[pa.Table] = []
    enough = FIRST_ROWS
    for table in tables:
        waiting.append(table)
        if sum(one.num_rows for one in waiting) >= enough:
            yield waiting
            waiting, enough = [], BATCH_ROWS
    if waiting:
        yield waiting


def _part(held: HeldFolder, name: str, max_rows: int) -> tuple[pa.Table, int]:
    try:
        with held.opened(name) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
            changed = os.fstat(descriptor).st_mtime_ns
            # Texts stay dictionaries until their lengths are known: a file of a kilobyte can repeat one of a megabyte.
            parquet = pq.ParquetFile(file, read_dictionary=_DICTIONARIES)
            if parquet.metadata.num_rows > max_rows:
                raise OutcomeInvalid(f"{name} claims to have more than {max_rows:,} rows.")
            return parquet.read(_COLUMNS, use_threads=False).select(_COLUMNS), changed
    except pa.ArrowMemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise OutcomeInvalid(
            f"{name} is damaged, or no part of such a job. Delete it, run the same command again, and open the folder."
        ) from error


def _checked(tables: list[pa.Table], labels: dict[str, int]) -> pa.RecordBatch:
    """Rows as they are written; new labels are added to ``labels``.

    Raises:
        OutcomeInvalid, ValueError, KeyError, pa.ArrowException: they are not those of such a job.
    """
    for table in tables:
        for name in _TEXTS:
            _check_lengths(table.column(name))
    table = pa.concat_tables(tables)
    count = table.num_rows
    own = {name: table.column(name).combine_chunks().cast(kind) for name, kind in _TYPES.items()}
    own |= {name: _shares(own[name]) for name in ("confidence", "known_score")}
    own |= {name: table.column(name).cast(pa.string()).combine_chunks() for name in _TEXTS if name != "class"}
    classes = _codes(table.column("class"), labels)
    tops = table.column("top5").combine_chunks()
    lengths = pc.list_value_length(tops).fill_null(0).to_numpy(zero_copy_only=False)
    if lengths.max(initial=0) > TOP:
        raise ValueError("more classes of an image than five")
    places = np.arange(TOP)[None, :] < lengths[:, None]
    scores = tops.flatten()
    top_classes, top_confidences = np.full((count, TOP), -1, np.int32), np.zeros((count, TOP), np.float32)
    top_classes[places] = _codes(scores.field("class"), labels)
    top_confidences[places] = _shares(scores.field("confidence").cast(pa.float32())).fill_null(0.0)
    columns = {
        **own,
        "class": pa.array(classes, mask=classes < 0),
        "top_classes": pa.FixedSizeListArray.from_arrays(pa.array(top_classes.ravel()), TOP),
        "top_confidences": pa.FixedSizeListArray.from_arrays(pa.array(top_confidences.ravel()), TOP),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _shares(values: pa.Array) -> pa.Array:
    """Numbers from 0 to 1; null for what is none."""
    fits = pc.and_(pc.greater_equal(values, 0.0), pc.less_equal(values, 1.0))
    return pc.if_else(fits.fill_null(False), values, None)


def _check_lengths(column: pa.ChunkedArray) -> None:
    for texts in column.chunks:
        values = texts.dictionary if isinstance(texts, pa.DictionaryArray) else texts
        if (pc.max(pc.binary_length(values)).as_py() or 0) > MAX_TEXT:
            raise ValueError("a text of more characters than there are in any")


def _codes(texts: pa.Array | pa.ChunkedArray, labels: dict[str, int]) -> NDArray[np.int32]:
    """Of each text its place in ``labels``, to which new ones are added; -1 where there is none."""
    if not pa.types.is_dictionary(texts.type):
        texts = texts.dictionary_encode()
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.unify_dictionaries().combine_chunks()
    _check_lengths(pa.chunked_array([texts]))
    places = np.array([*(_place(label, labels) for label in texts.dictionary.to_pylist()), -1], np.int32)
    found: NDArray[np.int32] = places[texts.indices.fill_null(len(places) - 1).to_numpy(zero_copy_only=False)]
    return found


def _place(label: str, labels: dict[str, int]) -> int:
    if label not in labels:
        try:
            if len(labels) == MAX_LABELS or clean_label(label, "A class") != label:
                raise ValueError("classes that no model has")
        except LabelsInvalid as error:
            raise ValueError("classes that no model has") from error
        labels[label] = len(labels)
    return labels[label]


if __name__ == "__main__":
    serve({"read": read_within_limits}, niceness=0)  # somebody waits for it
