"""What a job would be, before it is begun: its files are listed, and some of them looked at."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.batch.manifest import Unit
from core.batch.worker import Worker

SAMPLED_UNITS = 8
SAMPLED_ITEMS = 32  # of each


@dataclass(slots=True)
class Estimate:
    """Files and bytes that were listed, and what a sample of them says.

    Attributes:
        files: single files; archives are counted by themselves.
        sample: images that were looked at, of them ``errors`` in vain, in ``sample_seconds``.
        seconds: that one worker would take for all of it, None where nothing could be sampled.
    """

    files: int = 0
    archives: int = 0
    bytes: int = 0
    sample: int = 0
    errors: int = 0
    sample_seconds: float = 0.0
    sample_bytes: int = 0

    @property
    def seconds(self) -> float | None:
        """By the bytes of the sample: how many images are in archives, nobody has counted."""
        return self.bytes / self.sample_bytes * self.sample_seconds if self.sample_bytes else None

    @property
    def rate(self) -> float:
        """Images a second of one worker."""
        return self.sample / self.sample_seconds if self.sample_seconds else 0.0


def estimate(units: Iterable[Unit], worker: Worker, *, seed: int = 0) -> Estimate:
    """List all ``units``, and look at some with a ``worker`` that has started."""
    found = Estimate()
    chosen = list(_sample(_counted(units, found), random.Random(seed)))  # noqa: S311 - no secret
    for unit in chosen:
        count = len(worker.items(unit))
        positions = range(0, count, max(1, -(-count // SAMPLED_ITEMS)))
        started = time.perf_counter()
        rows = worker.look(unit, positions)
        found.sample_seconds += time.perf_counter() - started
        found.sample += rows.num_rows
        found.errors += rows.num_rows - rows.column("error_code").null_count
        found.sample_bytes += sum(rows.column("size").to_pylist())
    return found


def _counted(units: Iterable[Unit], found: Estimate) -> Iterator[Unit]:
    for unit in units:
        found.bytes += unit.bytes
        if unit.slices:
            found.archives += unit.slice == 0
        else:
            found.files += len(unit.files)
        yield unit


def _sample(units: Iterable[Unit], chance: random.Random) -> Iterable[Unit]:
    """Each unit with the same chance, however many there are (a reservoir)."""
    kept: list[Unit] = []
    for number, unit in enumerate(units):
        if number < SAMPLED_UNITS:
            kept.append(unit)
        elif (place := chance.randrange(number + 1)) < SAMPLED_UNITS:
            kept[place] = unit
    return kept
