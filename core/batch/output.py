"""The folder of a job's results: what it was begun with, what is to do, and the parts that are done.

    job.json, engine.json        what every run into this folder must agree on
    manifest/                    the units (``core.batch.manifest``)
    parts/000000012.parquet      the rows of unit 12 (``core.batch.parts``)

Of several shards each has ``manifest`` and ``parts`` in a folder of its own, ``shard-0003-of-0016``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from core.base.errors import InvalidRequest, OutputRefused
from core.base.file_lock import open_locked
from core.batch.manifest import Manifest
from core.batch.stores import locate, store_errors, write_whole

_PART = re.compile(r"(\d{9})\.parquet")


class Output:
    """Such a folder. It travels to other processes."""

    def __init__(self, address: str, *, shard: int = 0, shards: int = 1) -> None:
        """Nothing is read or written yet.

        Raises:
            InvalidRequest, StoreUnreachable: as for ``locate``.
        """
        self.address = address
        self.store, self.root = locate(address)
        self.folder = f"{self.root}/shard-{shard:04}-of-{shards:04}" if shards > 1 else self.root

    @property
    def manifest(self) -> Manifest:
        """What is to do."""
        return Manifest(self.store, f"{self.folder}/manifest")

    def prepare(self, facts: Mapping[str, Any]) -> None:
        """Make the folder the job's, or see that it is.

        Raises:
            OutputRefused: it was begun with other ``facts``, or holds files of something else.
            StoreUnreachable: it cannot be written.
        """
        with store_errors(self.address):
            if not self.store.exists(f"{self.root}/job.json") and self._is_taken():
                raise OutputRefused(
                    f"{self.address} holds files that are no results of this command; name a new folder."
                )
            self.store.files.create_dir(f"{self.folder}/parts", recursive=True)
        self.agree("job", facts)

    def agree(self, name: str, facts: Mapping[str, Any]) -> None:
        """Write ``facts`` down, or compare them with those that were.

        Raises:
            OutputRefused: they are others; the sentence names the first.
        """
        path = f"{self.root}/{name}.json"
        wanted = json.loads(json.dumps(dict(facts)))
        with store_errors(self.address):
            if not self.store.exists(path):
                write_whole(self.store, path, json.dumps(wanted, indent=1).encode())
                return
            try:
                known = json.loads(self.store.read(path))
            except ValueError as error:
                raise OutputRefused(f"{path} is damaged; name a new folder.") from error
        for key in sorted({*wanted, *known}):
            if wanted.get(key) != known.get(key):
                raise OutputRefused(
                    f"{self.address} was begun with {key.replace('_', ' ')} {known.get(key)!r}, and this run has "
                    f"{wanted.get(key)!r}. Use what it was begun with, or a new folder."
                )

    def done(self) -> set[int]:
        """Numbers of the units that have a part; an empty file is none."""
        with store_errors(self.address):
            infos = self.store.files.get_file_info(pafs.FileSelector(f"{self.folder}/parts", allow_not_found=True))
        named = ((_PART.fullmatch(info.base_name), info.size) for info in infos)
        return {int(found[1]) for found, size in named if found and size}

    def part(self, number: int) -> str:
        """Where the part of a unit is, in the store."""
        return f"{self.folder}/parts/{number:09}.parquet"

    def sweep(self) -> None:
        """Remove drafts that were never finished; nobody else may be at work."""
        if self.store.is_local:
            for folder in ("parts", "manifest"):
                for draft in (Path(self.folder) / folder).glob(".*.partial"):
                    draft.unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep a second run out for as long, where the folder is on this machine; elsewhere both do the same work.

        Raises:
            OutputRefused: another run is at work.
        """
        with ExitStack() as exits:
            if self.store.is_local:
                held = open_locked(Path(self.folder) / "lock")
                if held is None:
                    raise OutputRefused(f"Another run is writing to {self.address}; wait for it.")
                exits.enter_context(held)
            yield

    def _is_taken(self) -> bool:
        infos = self.store.files.get_file_info(pafs.FileSelector(self.root, allow_not_found=True))
        return any(not info.base_name.startswith("shard-") for info in infos)


def shard_of(shard: int, shards: int) -> None:
    """Raise InvalidRequest unless ``shard`` is one of ``shards``, counted from 0."""
    if shards < 1 or not 0 <= shard < shards:
        raise InvalidRequest("--shard counts from 0, and must be below --shards.")
