"""One job's results, open: the first rows at once, the others as soon as they are read."""

from __future__ import annotations

import secrets
import threading
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.base.errors import AppError, OutcomeInvalid
from core.base.settings import MIB
from core.base.worker_process import Event, WorkerEnded, WorkerProcess
from core.batch.outcome.facts import JobFacts
from core.batch.outcome.rows import OutcomeRows, Wish
from core.stacks.quota import QuotaShare

MAX_ROWS = 20_000_000
MAX_BYTES = 4_096 * MIB  # of all rows: 130 MB for a million
_ENDED = (
    "The results cannot be read within the limits of memory and time: they are damaged, or of far more rows than can "
    "be opened at once. Open the folders of its shards."
)


class Outcome:
    """The rows of a folder of results. They end with the object, and so does the process that reads them.

    Attributes:
        facts: what the folder says of the job.
        first: the first rows of it, to be shown while the others are read.
    """

    first: OutcomeRows

    def __init__(
        self,
        folder: Path,
        facts: JobFacts,
        scratch: Path,
        share: QuotaShare,
        *,
        max_rows: int = MAX_ROWS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Begin to read, and wait for the first rows.

        Args:
            folder: of the results.
            scratch: a folder for what is read, which goes without a name into ``share``.

        Raises:
            OutcomeInvalid: the results are damaged or too large, as far as that is known by then.
            QuotaExceeded, DiskFull: there is no room for them.
        """
        self.facts = facts
        self._state = _State()
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        worker = WorkerProcess("core.batch.outcome.read_parts")
        reading = threading.Thread(
            target=_read,
            args=(worker, self._state, folder, scratch / secrets.token_hex(8), share, max_rows, max_bytes),
            name="outcome",
            daemon=True,
        )
        weakref.finalize(self, worker.kill)
        weakref.finalize(self, share.release)
        reading.start()
        self._state.begun.wait()
        if self._state.first is None:
            raise self._state.failure()
        self.first = self._state.first

    @property
    def ready(self) -> bool:
        """Whether all rows are read, or it is known why they cannot be."""
        return self._state.ended.is_set()

    def rows(self) -> OutcomeRows:
        """All of them; waits until they are read.

        Raises:
            OutcomeInvalid: they are damaged or too large.
            QuotaExceeded, DiskFull: there is no room for them.
        """
        self._state.ended.wait()
        if self._state.all is None:
            raise self._state.failure()
        return self._state.all

    def counts(self) -> dict[str, int]:
        """See ``OutcomeRows.counts``; kept.

        Raises:
            OutcomeInvalid, QuotaExceeded, DiskFull: as for ``rows``.
        """
        if self._state.counts is None:
            self._state.counts = self.rows().counts()
        return self._state.counts

    def find(self, wish: Wish) -> NDArray[np.int64]:
        """See ``OutcomeRows.find``; the last answer is kept, for who goes through it page by page.

        Raises:
            OutcomeInvalid, QuotaExceeded, DiskFull: as for ``rows``.
        """
        rows = self.rows()
        with self._state.lock:
            if self._state.found is None or self._state.found[0] != wish:
                self._state.found = (wish, rows.find(wish))
            return self._state.found[1]


class _State:
    """What the thread that reads knows; it does not keep the ``Outcome`` alive."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.first: OutcomeRows | None = None
        self.all: OutcomeRows | None = None
        # Kind and sentence: an exception object would keep its traceback, and with it the outcome.
        self.error: tuple[type[AppError], str] = (OutcomeInvalid, _ENDED)
        self.found: tuple[Wish, NDArray[np.int64]] | None = None
        self.counts: dict[str, int] | None = None

    def failure(self) -> AppError:
        kind, sentence = self.error
        return kind(sentence)


def _read(
    worker: WorkerProcess, state: _State, folder: Path, target: Path, share: QuotaShare, max_rows: int, max_bytes: int
) -> None:
    def told(event: Event) -> None:
        path = Path(event["path"])
        try:
            share.grow(path.stat().st_size)
            rows = OutcomeRows(path, event["labels"], event["written"])
        finally:
            path.unlink()
        if event["event"] == "first":
            state.first = rows
            state.begun.set()
        else:
            state.all = rows

    try:
        with worker:
            worker.call("read", told, folder=folder, target=target, max_rows=max_rows, max_bytes=max_bytes)
    except WorkerEnded:
        pass  # as the state says unless it is told otherwise
    except AppError as error:
        state.error = (type(error), str(error))
    except OSError as error:
        state.error = (OutcomeInvalid, f"The results cannot be taken in ({error.strerror or error}).")
    finally:
        for left in (target, target.with_suffix(".first")):
            with suppress(OSError):
                left.unlink()
        state.ended.set()
        state.begun.set()
