"""What is to do, on disk: the files of a job in units, written down once, so that a job that goes on knows them.

A unit is what one worker does at a time and what one part of the results holds: some hundreds of files, or a slice of
an archive. Units are numbered; nothing but the number decides what a part is called.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from core.base.settings import MIB
from core.batch.listing import Listed, Listing
from core.batch.stores import Store, write_whole
from core.stacks.sources.names import is_archive

UNIT_FILES = 1_000
UNIT_BYTES = 512 * MIB
ARCHIVE_SLICE_BYTES = 16 * MIB  # of an archive on this machine; one of elsewhere is fetched whole by whoever reads any
REMOTE_SLICE_BYTES = 512 * MIB
UNITS_IN_FILE = 500
COMPLETE = "complete.json"
_SCHEMA = pa.schema([("path", pa.string()), ("size", pa.int64()), ("changed", pa.int64()), ("slice", pa.int32()),
                     ("slices", pa.int32())])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unit:
    """Files that one worker does at once; of an archive only the slice ``slice`` of ``slices``, 0 of 0 otherwise."""

    number: int
    files: tuple[Listed, ...]
    slice: int = 0
    slices: int = 0

    @property
    def bytes(self) -> int:
        """Of its files, or of its share of the archive."""
        return sum(file.size for file in self.files) // max(self.slices, 1)


@dataclass(slots=True)
class Totals:
    """What was listed."""

    units: int = 0
    files: int = 0
    archives: int = 0
    bytes: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


def units_of(listing: Listing, *, shard: int = 0, shards: int = 1, unit_files: int = UNIT_FILES) -> Iterator[Unit]:
    """Listed files in units, as they come; of several shards only the files of this one, by their paths alone."""
    slice_bytes = ARCHIVE_SLICE_BYTES if listing.store.is_local else REMOTE_SLICE_BYTES
    number, waiting, size = 0, list[Listed](), 0
    for file in listing:
        if shards > 1 and zlib.crc32(file.path.encode("utf-8", "surrogateescape")) % shards != shard:
            continue
        if is_archive(file.path):
            slices = max(1, -(-file.size // slice_bytes))
            for part in range(slices):
                yield Unit(number, (file,), part, slices)
                number += 1
            continue
        if waiting and (len(waiting) >= unit_files or size + file.size > UNIT_BYTES):
            yield Unit(number, tuple(waiting))
            number, waiting, size = number + 1, [], 0
        waiting.append(file)
        size += file.size
    if waiting:
        yield Unit(number, tuple(waiting))


class Manifest:
    """The units of a job in a folder of a store: ``UNITS_IN_FILE`` to a Parquet file, a row group each."""

    def __init__(self, store: Store, folder: str) -> None:
        self._store = store
        self._folder = folder

    def totals(self) -> Totals | None:
        """What was listed; None where the list was not finished, of which nothing is believed then."""
        path = f"{self._folder}/{COMPLETE}"
        if not self._store.exists(path):
            return None
        return Totals(**json.loads(self._store.read(path)))

    def write(self, listing: Listing, units: Iterable[Unit]) -> Totals:
        """Write down all units, then that they are all."""
        totals = Totals()
        self._store.files.create_dir(self._folder, recursive=True)
        buffer, writer = io.BytesIO(), None
        for unit in units:
            if writer is None:
                buffer = io.BytesIO()
                writer = pq.ParquetWriter(buffer, _SCHEMA)
            writer.write_table(_table(unit), row_group_size=len(unit.files))
            totals.units += 1
            totals.bytes += unit.bytes
            totals.archives += unit.slices > 0 and unit.slice == 0
            totals.files += 0 if unit.slices else len(unit.files)
            if totals.units % UNITS_IN_FILE == 0:
                writer.close()
                write_whole(self._store, self._path(totals.units // UNITS_IN_FILE - 1), buffer.getbuffer())
                writer = None
        if writer is not None:
            writer.close()
            write_whole(self._store, self._path(totals.units // UNITS_IN_FILE), buffer.getbuffer())
        totals.left_out, totals.unreadable = dict(listing.left_out), listing.unreadable
        facts = {name: getattr(totals, name) for name in Totals.__dataclass_fields__}
        write_whole(self._store, f"{self._folder}/{COMPLETE}", json.dumps(facts, indent=1).encode())
        return totals

    def units(self, left: Iterable[int]) -> Iterator[Unit]:
        """The units of these numbers, in ascending order; one is held at a time."""
        opened, parquet = -1, None
        for number in left:
            place, group = divmod(number, UNITS_IN_FILE)
            if place != opened:
                parquet, opened = pq.ParquetFile(self._path(place), filesystem=self._store.files), place
            assert parquet is not None  # noqa: S101 - the first place is not -1
            yield _unit(number, parquet.read_row_group(group))

    def _path(self, place: int) -> str:
        return f"{self._folder}/{place:06}.parquet"


def _table(unit: Unit) -> pa.Table:
    # A name that is no text on this disk is kept as its bytes would be: with the marks that Python reads it with.
    paths = [file.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for file in unit.files]
    columns = [paths, [file.size for file in unit.files], [file.changed for file in unit.files],
               [unit.slice] * len(paths), [unit.slices] * len(paths)]  # fmt: skip
    return pa.table(columns, schema=_SCHEMA)


def _unit(number: int, table: pa.Table) -> Unit:
    rows = zip(*(table.column(name).to_pylist() for name in ("path", "size", "changed")), strict=True)
    files = tuple(Listed(path, size, changed) for path, size, changed in rows)
    return Unit(number, files, table.column("slice")[0].as_py(), table.column("slices")[0].as_py())
