"""What has been recognised in one stack so far: the latest answer of each engine for each image."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from core.engines.engine import EngineName
from core.engines.registry import engine_names
from core.recognition.results import Prediction


class StackResults:
    """Predictions by engine and position. Thread-safe; ``version`` changes with every addition.

    ``threshold`` is the known score below which images show none of the classes here; None leaves it to the models. It
    applies to all that was recognised before, too.
    """

    def __init__(self) -> None:
        self._threshold: float | None = None
        self._by_engine: dict[EngineName, dict[int, Prediction]] = {}
        self._models: dict[EngineName, dict[int, str]] = {}
        self._lock = threading.Lock()
        self.version = 0

    @property
    def threshold(self) -> float | None:
        """A person's own, if any."""
        return self._threshold

    @threshold.setter
    def threshold(self, value: float | None) -> None:
        with self._lock:
            self.version += value != self._threshold
            self._threshold = value

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """Engines with answers, always in the order of ``engine_names()``."""
        return tuple(name for name in engine_names() if self._by_engine.get(name))

    def add(self, predictions: Iterable[Prediction], model: str = "") -> None:
        """Keep new predictions; each replaces an older one of the same engine for the same image.

        ``model`` is the ``Model.answers_key`` of the model that made them: names alone do not tell models apart.
        """
        with self._lock:
            for prediction in predictions:
                self._by_engine.setdefault(prediction.engine, {})[prediction.index] = prediction
                self._models.setdefault(prediction.engine, {})[prediction.index] = model
            self.version += 1

    def of(self, engine: EngineName) -> Mapping[int, Prediction]:
        """A snapshot of an engine's predictions by position; empty where it has not run."""
        with self._lock:
            found = self._by_engine.get(engine, {})
            return MappingProxyType({index: self._judged(prediction) for index, prediction in found.items()})

    def by_model(self, engine: EngineName, model: str) -> list[Prediction]:
        """An engine's predictions that were made by the model of this ``Model.answers_key``."""
        with self._lock:
            made_by, found = self._models.get(engine, {}), self._by_engine.get(engine, {})
            return [prediction for index, prediction in found.items() if made_by[index] == model]

    def at(self, index: int) -> tuple[Prediction, ...]:
        """All engines' predictions for one image, in the order of ``engines``."""
        with self._lock:
            return self._at(index)

    def by_image(self) -> dict[int, tuple[Prediction, ...]]:
        """Predictions of every recognised image, positions ascending, engines in the order of ``engines``."""
        with self._lock:
            indices = sorted({index for found in self._by_engine.values() for index in found})
            return {index: self._at(index) for index in indices}

    def _at(self, index: int) -> tuple[Prediction, ...]:
        found = (self._by_engine.get(name, {}).get(index) for name in engine_names())
        return tuple(self._judged(prediction) for prediction in found if prediction is not None)

    def _judged(self, prediction: Prediction) -> Prediction:
        return prediction if self._threshold is None else replace(prediction, threshold=self._threshold)


def differs(predictions: Iterable[Prediction]) -> bool:
    """Whether engines name different first classes for an image (a flip)."""
    return len({prediction.label for prediction in predictions}) > 1
