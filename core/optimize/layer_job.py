"""Why INT8 errs, in the background: the error of every layer on the images that INT8 and FP32 name differently."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from core.base.background import BackgroundJob, TakeTurn
from core.base.errors import InvalidRequest
from core.base.worker_process import Event, WorkerEnded, WorkerProcess
from core.models.exported import make_forms_with
from core.models.model import Model
from core.optimize.calibration import load_inputs
from core.optimize.layer_errors import MOST_IMAGES, LayerError
from core.optimize.progress import StepProgress, StepState
from core.stacks.stack import ImageStack

WORKER = "core.optimize.worker"
CANCELLED = "Cancelled."
_IMAGES, _COMPARE = "Prepare images", "Compare layer by layer"


class LayerErrorsJob(BackgroundJob):
    """Runs in a thread of its own, its work in a process of its own. ``errors`` is there once it is done.

    Of ``indices``, the first ``MOST_IMAGES`` are looked at; ``images`` is how many could be read.
    """

    def __init__(
        self,
        model: Model,
        stack: ImageStack,
        indices: Sequence[int],
        scratch: Path,
        take_turn: TakeTurn = nullcontext,
    ) -> None:
        """
        Args:
            model: whose INT8 and FP32 forms are compared.
            stack, indices: the images, those that matter most first.
            scratch: a folder for files while it works; made where it is not there.
            take_turn: waits for the turn to work.
        """
        super().__init__("layer-errors", take_turn)
        self.model = model
        self.indices = tuple(indices[:MOST_IMAGES])
        self.images = 0
        self.errors: tuple[LayerError, ...] = ()
        self._stack: ImageStack | None = stack
        self._scratch = scratch
        self._worker: WorkerProcess | None = None
        self._steps = StepProgress((_IMAGES, _COMPARE), lambda: self.check_cancelled(CANCELLED))
        self.start()

    @property
    def steps(self) -> tuple[StepState, ...]:
        """A snapshot."""
        return self._steps.states

    def cancel(self) -> None:
        """Stop at once; see ``OptimizationJob.cancel``."""
        super().cancel()
        if self._worker is not None:
            self._worker.kill()

    def work(self) -> None:
        """Compare."""
        stack, self._stack = self._stack, None  # whoever keeps a job that has ended does not keep its stack
        assert stack is not None  # noqa: S101
        model = self.model
        int8 = model.int8_ir()
        try:
            self._steps.begin(_IMAGES, len(self.indices))
            readable, inputs = load_inputs(stack, model.preprocessing, sorted(self.indices), self._steps.count)
            if not readable:
                raise InvalidRequest("None of these images can be read any more.")
            self._scratch.mkdir(parents=True, exist_ok=True)
            with (
                tempfile.TemporaryDirectory(dir=self._scratch, prefix="layers-") as folder,
                WorkerProcess(WORKER) as self._worker,
            ):
                kept = Path(folder) / "inputs.npy"
                np.save(kept, inputs)
                self._steps.begin(_COMPARE)
                weights, forms = model.checked_weights(), model.forms_folder
                make_forms_with(self._worker, model.architecture, weights, model.preprocessing, forms)
                self.check_cancelled(CANCELLED)
                self._worker.call(
                    "compare_layers",
                    self._on_event,
                    architecture=model.architecture.name,
                    fp32=forms / model.architecture.fp32_name,
                    int8=int8,
                    inputs=kept,
                )
            self.images = len(readable)
            self._steps.end("done")
        except WorkerEnded:
            self.check_cancelled(CANCELLED)
            raise
        finally:
            self._steps.end("stopped")

    def _on_event(self, event: Event) -> None:
        match event["event"]:
            case "layers":
                self.errors = tuple(LayerError(**layer) for layer in event["layers"])
            case "progress":
                done, total = event["done"], event["total"]
                self._steps.tell(f"image {done:,} of {total:,}", done / total)
