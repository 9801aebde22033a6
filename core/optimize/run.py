"""One optimisation in the background: from weights to a judged INT8 model, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.background import BackgroundJob
from core.engines.base import Engine
from core.engines.openvino import OpenVinoEngine
from core.models import CARD_NAME, Model, file_checksum
from core.optimize import graph
from core.optimize.base import ONNX_NAME, make_base
from core.optimize.calibration import Split, load_inputs
from core.optimize.gate import GateReport, judge
from core.optimize.graph import BATCH, Recipe
from core.settings import Settings
from core.stack import ImageStack

CANCELLED = "Cancelled. The model in use is unchanged."
VERSIONED = ("torch", "torchvision", "onnx", "nncf", "openvino")


@dataclass(frozen=True, slots=True)
class StepState:
    """One step: ``seconds`` so far or in all, ``detail`` what it made or found."""

    title: str
    status: Literal["running", "done"]
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to optimise with: the stack and which of its images; class indices of all its images where known."""

    stack: ImageStack
    split: Split
    labels: NDArray[np.int64] | None = None


class OptimizationJob(BackgroundJob):
    """Runs in a thread of its own. ``folder`` comes to hold the new model; on failure or cancel it does not exist.

    Nothing that was there before is touched, so the previous model stays in use whatever happens here.
    """

    def __init__(self, model: Model, plan: Plan, recipe: Recipe, folder: Path, settings: Settings) -> None:
        super().__init__("optimization")
        self.source = model
        self.plan = plan
        self.recipe = recipe
        self.model: Model | None = None
        self.report: GateReport | None = None
        self.before: GateReport | None = None
        self._folder = folder
        self._settings = settings
        self._steps: list[StepState] = []
        self._step_started = 0.0
        self._samples = 0
        self.start()

    @property
    def steps(self) -> tuple[StepState, ...]:
        """A snapshot of all steps begun so far."""
        steps = list(self._steps)
        if steps and steps[-1].status == "running":
            steps[-1] = replace(steps[-1], seconds=time.perf_counter() - self._step_started)
        return tuple(steps)

    def work(self) -> None:
        """Optimise in a draft folder, which becomes ``folder`` at the end."""
        draft = self._folder.with_name(f"{self._folder.name}.partial")
        try:
            draft.mkdir(parents=True)
            self.report, self.before = self._optimize(draft)
            draft.rename(self._folder)
            self.model = Model(self._folder, self._settings.cache_dir)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _optimize(self, draft: Path) -> tuple[GateReport, GateReport | None]:
        """Make the model in ``draft``; how it does, and how the INT8 model before it does on the same images."""
        source, split = self.source, self.plan.split
        difference = make_base(source.weights, source.base_folder, self._step)
        if difference is None:
            with self._step("ONNX and FP32 model"):
                self._detail("made before from the same weights")
        else:
            with self._step("Logits of the export"):
                self._detail(f"at most {difference:.1e} from PyTorch")
        with self._step("Prepare images"):
            used, calibration = load_inputs(self.plan.stack, split.calibration)
            judged, evaluation = load_inputs(self.plan.stack, split.evaluation)
            self._detail(f"{len(used)} to calibrate, {len(judged)} others to judge")
        # An accuracy-aware recipe looks at images while it works; those may not judge it afterwards.
        seen = len(judged) // 2 if self.recipe.accuracy_aware else 0
        with self._step("Calibrate and quantize"):
            fp32 = graph.convert(source.base_folder / ONNX_NAME)
            int8 = graph.quantize(
                fp32, calibration, self.recipe, validation=evaluation[:seen], on_sample=self._on_sample
            )
            self._detail(self.recipe.title)
        with self._step("Save the INT8 model"):
            graph.save_ir(int8, draft / Model.int8_name)
            _link(source.weights, draft / Model.weights_name)
            size = (draft / Model.int8_name).with_suffix(".bin").stat().st_size
            self._detail(f"{Model.int8_name}, {size / 1e6:.1f} MB")
        with self._step("Judge INT8 against FP32"):
            labels = None if self.plan.labels is None else self.plan.labels[list(judged)][seen:]
            reference = self._logits(source.engine("openvino-fp32"), evaluation[seen:])
            candidate = OpenVinoEngine("openvino-int8", draft / Model.int8_name, None)
            report = judge(reference, self._logits(candidate, evaluation[seen:]), labels)
            before = None
            if source.has_int8:
                before = judge(reference, self._logits(source.engine("openvino-int8"), evaluation[seen:]), labels)
            self._detail(f"{report.agreement.top1:.1%} same class on {report.agreement.images} images")
        with self._step("Write the model card"):
            self._write_card(draft, len(used), report)
        return report, before

    def _logits(self, engine: Engine, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        def infer(start: int) -> NDArray[np.float32]:
            self.check_cancelled(CANCELLED)
            return engine.infer(inputs[start : start + BATCH])

        with ThreadPoolExecutor(engine.parallelism) as pool:
            return np.concatenate(list(pool.map(infer, range(0, len(inputs), BATCH))))

    def _write_card(self, draft: Path, calibrated_on: int, report: GateReport) -> None:
        same = report.agreement
        card = self.source.card.model_copy(
            update={
                "name": self._folder.name,
                "title": f"{self.source.card.title}, calibrated on your stack",
                "quantization": {
                    "method": "NNCF post-training quantization, INT8",
                    "recipe": self.recipe.title,
                    "calibration": f"{calibrated_on} images of one stack",
                    "agreement with FP32": f"{same.top1:.2%} of {same.images} others "
                    f"(95% interval {same.low:.2%} to {same.high:.2%})",
                },
                "scores": {},  # measured on the source's own data, with the source's INT8 model
                "versions": {package: version(package) for package in VERSIONED},
                "checksums": {path.name: file_checksum(path) for path in sorted(draft.iterdir())},
            }
        )
        (draft / CARD_NAME).write_text(card.model_dump_json(indent=2) + "\n")

    @contextmanager
    def _step(self, title: str) -> Iterator[None]:
        self.check_cancelled(CANCELLED)
        self._step_started = time.perf_counter()
        self._steps.append(StepState(title, "running", 0.0))
        yield
        seconds = time.perf_counter() - self._step_started
        self._steps[-1] = replace(self._steps[-1], status="done", seconds=seconds)

    def _detail(self, text: str) -> None:
        self._steps[-1] = replace(self._steps[-1], detail=text)

    def _on_sample(self) -> None:
        self.check_cancelled(CANCELLED)
        self._samples += 1
        self._detail(f"{self._samples:,} passes of an image so far")


def _link(source: Path, target: Path) -> None:
    """The same file under another name, without copying it where the file system can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
