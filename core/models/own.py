"""A person's own weights made into a model, in the background."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from core.base.background import BackgroundJob, TakeTurn
from core.base.disk import folder_bytes
from core.base.settings import Settings
from core.models.install import write_model
from core.models.labels import read_labels
from core.models.model import Model


class ImportJob(BackgroundJob):
    """Checks weights and labels and writes the model; ``model`` holds it once the status is ``done``."""

    def __init__(
        self,
        weights: Path,
        labels: bytes,
        folder: Path,
        title: str,
        settings: Settings,
        take_turn: TakeTurn = nullcontext,
        reserve: Callable[[int], None] = lambda count: None,
    ) -> None:
        """
        Args:
            weights, labels: as they came.
            folder: where the model goes; its name becomes the model's.
            take_turn: waits for the turn to work.
            reserve: told how many bytes the folder takes from now on; it raises where there is no room.
        """
        super().__init__("import", take_turn)
        self.model: Model | None = None
        self._reserve = reserve
        self._weights = weights
        self._folder = folder
        self._labels = labels
        self._title = title
        self._settings = settings
        self.start()

    def make(self) -> Model:
        """The model, in its folder."""
        return write_model(
            self._weights,
            partial(read_labels, self._labels),
            self._folder,
            title=self._title,
            data="not stated",
            settings=self._settings,
        )

    def work(self) -> None:
        """Room first: the model has about the size of its weights."""
        try:
            self._reserve(self._weights.stat().st_size)
            model = self.make()
            self._reserve(folder_bytes(self._folder))
            self.check_cancelled()  # whoever cancelled meanwhile has seen no folder to delete
            self.model = model
        finally:
            if self.model is None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._reserve(0)
