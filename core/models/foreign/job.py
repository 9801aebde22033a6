"""A stranger's model made into one of a person's own, in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from core.base.background import TakeTurn
from core.base.settings import Settings
from core.base.worker_process import WorkerEnded, WorkerProcess
from core.models.foreign.importer import ImportOrder, import_model
from core.models.model import Model
from core.models.own import ImportJob


class ForeignImportJob(ImportJob):
    """``import_model`` as ``ImportJob`` does its own; a cancel ends the process that reads the file at once."""

    def __init__(
        self,
        order: ImportOrder,
        folder: Path,
        settings: Settings,
        take_turn: TakeTurn = nullcontext,
        reserve: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._order = order
        self._worker: WorkerProcess | None = None
        super().__init__(order.source, order.labels, folder, order.title, settings, take_turn, reserve)

    def cancel(self) -> None:
        """See the class."""
        super().cancel()
        if (worker := self._worker) is not None:
            worker.kill()

    def make(self) -> Model:
        """See ``import_model``."""
        try:
            return import_model(self._order, self._folder, self._settings, self._start)
        except Exception as error:
            if isinstance(error.__cause__, WorkerEnded):
                self.check_cancelled()
            raise

    @contextmanager
    def _start(self, module: str) -> Iterator[WorkerProcess]:
        with WorkerProcess(module) as self._worker:
            self.check_cancelled()
            yield self._worker
