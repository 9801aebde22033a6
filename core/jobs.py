"""Recognition in the background, for a page that shows progress, offers to cancel, and may be left and come back to."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.errors import AppError, Cancelled
from core.models import Model
from core.recognize import recognize, resolve_batch_size
from core.results import EngineName, Prediction, Recognition
from core.settings import Settings
from core.stack import ImageStack

Phase = Literal["decoding", "loading", "recognizing", "done", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class JobState:
    """What a job is doing; ``done`` and ``total`` count the images of the current phase."""

    phase: Phase
    engine: EngineName
    done: int
    total: int
    seconds: float
    message: str = ""

    @property
    def finished(self) -> bool:
        """Nothing will change any more."""
        return self.phase in ("done", "cancelled", "failed")

    @property
    def images_per_second(self) -> float:
        """Rate of the current phase so far."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimate for the current phase; None before the first images are done."""
        rate = self.images_per_second
        return (self.total - self.done) / rate if rate else None


class RecognitionJob:
    """Runs one or several engines over the same images in a thread of its own.

    With several engines all images are decoded first, so that the engines' times compare inference with inference:
    otherwise the first one would pay for the decoding of both. Predictions go to ``stack.results`` as they are made;
    ``recognitions`` holds the finished runs.
    """

    def __init__(
        self,
        stack: ImageStack,
        indices: Sequence[int],
        model: Model,
        engines: Sequence[EngineName],
        settings: Settings,
        batch_size: int = 0,
    ) -> None:
        self.stack = stack
        self.indices = tuple(indices)
        self.model = model
        self.engines = tuple(engines)
        self._settings = settings
        self._batch_size = batch_size
        self._cancelled = threading.Event()
        self._phase: Phase = "loading"
        self._engine = self.engines[0]
        self._done = 0
        self._phase_started = time.perf_counter()
        self._message = ""
        self.recognitions: dict[EngineName, Recognition] = {}
        self._thread = threading.Thread(target=self._run, name="recognition", daemon=True)
        self._thread.start()

    @property
    def state(self) -> JobState:
        """A snapshot."""
        seconds = time.perf_counter() - self._phase_started
        return JobState(self._phase, self._engine, self._done, len(self.indices), seconds, self._message)

    def cancel(self) -> None:
        """Ask the job to stop; predictions made so far stay in ``stack.results``."""
        self._cancelled.set()

    def wait(self, timeout: float | None = None) -> None:
        """Block until the job ends or ``timeout`` seconds have passed."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            if len(self.engines) > 1:
                self._decode_all()
            for engine in self.engines:
                self._recognize(engine)
            self._enter("done", self._engine)
        except Cancelled as error:
            self._message = str(error)
            self._phase = "cancelled"
        except AppError as error:
            self._message = str(error)
            self._phase = "failed"
        except Exception as error:  # the page must not wait for ever, whatever went wrong
            self._message = f"Something unexpected went wrong ({type(error).__name__}). Try again."
            self._phase = "failed"
            raise

    def _enter(self, phase: Phase, engine: EngineName) -> None:
        self._engine, self._done, self._phase_started = engine, 0, time.perf_counter()
        self._phase = phase

    def _decode_all(self) -> None:
        self._enter("decoding", self.engines[0])
        for _, job in self.stack.prepare_ahead(self.indices):
            if self._cancelled.is_set():
                raise Cancelled("Cancelled. Nothing was recognised yet.")
            job.result()
            self._done += 1

    def _recognize(self, engine: EngineName) -> None:
        def on_batch(predictions: Sequence[Prediction]) -> None:
            self.stack.results.add(predictions)
            self._done += len(predictions)

        self._enter("loading", engine)
        resolve_batch_size(self._batch_size, self.model.engine(engine), self.model, self._settings)
        self._enter("recognizing", engine)
        self.recognitions[engine] = recognize(
            self.stack,
            self.indices,
            self.model,
            engine,
            self._settings,
            batch_size=self._batch_size,
            on_batch=on_batch,
            cancelled=self._cancelled,
        )
