"""One optimisation in the background: from weights to a judged INT8 model, in a folder of its own."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.base.background import BackgroundJob, TakeTurn
from core.base.disk import folder_bytes
from core.base.errors import DiskFull, InvalidRequest
from core.base.settings import Settings
from core.base.worker_process import Event, WorkerEnded, WorkerProcess
from core.engines.openvino import FP32, INT8, OpenVinoEngine
from core.models.card import CARD_NAME, KNOWN_NAME, WEIGHTS_NAME, write_card
from core.models.exported import EXPORT_STEPS, are_made, file_fact, make_forms_with
from core.models.model import Model
from core.models.self_description import describe_model
from core.optimize.calibrated_card import calibrated_card
from core.optimize.calibration import MIN_IMAGES, Split, load_inputs
from core.optimize.gate import GATE_AGREEMENT, GateReport, judge
from core.optimize.progress import StepProgress, StepState
from core.optimize.quantize import Recipe
from core.optimize.reference_logits import engine_logits, kept_logits
from core.optimize.speed import SpeedComparison, compare_speed
from core.optimize.trust import confidence_of, write_known_by_labels
from core.optimize.worker import INT8_STEPS
from core.stacks.stack import ImageStack

WORKER = "core.optimize.worker"
CANCELLED = "Cancelled. The model in use is unchanged."

_IMAGES, _REFERENCE, _JUDGE, _KEEP = (
    "Prepare images",
    "Run FP32 for reference",
    "Judge INT8 against FP32",
    "Write the model card",
)
STEPS = (*EXPORT_STEPS, _IMAGES, _REFERENCE, *INT8_STEPS, _JUDGE, _KEEP)

# NNCF's names of what takes its time, and what a person reads while it does.
_DOING = {
    "Statistics collection": "measuring activations, image {done:,} of {total:,}",
    "Applying Fast Bias correction": "correcting biases, layer {done:,} of {total:,}",
    "Applying Bias correction": "correcting biases, layer {done:,} of {total:,}",
    "Collecting metrics": "comparing with FP32, image {done:,} of {total:,}",
    "Collecting outputs": "comparing with FP32, image {done:,} of {total:,}",
    "Calculating ranking scores": "ranking layers, {done:,} of {total:,}",
}


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """What to optimise with: the stack and which of its images; class indices of all its images where known.

    Attributes:
        asked: the share of the judging images (0..1) on which INT8 must name the class that FP32 names.
        float_layers: those that stay FP32, as ``core.engines.openvino_layers`` names them; the speed is measured then.
    """

    stack: ImageStack
    split: Split
    labels: NDArray[np.int64] | None = None
    asked: float = GATE_AGREEMENT
    float_layers: tuple[str, ...] = ()


class OptimizationJob(BackgroundJob):
    """Runs in a thread of its own. ``folder`` comes to hold the new model; on failure or cancel it does not exist.

    Nothing that was there before is touched, so the previous model stays in use whatever happens here. ``report``
    and ``before`` are the judgements of the new INT8 model and of the one in use, on the same images; ``speed``
    compares these two where layers were kept in FP32.
    """

    def __init__(
        self,
        model: Model,
        plan: CalibrationPlan,
        recipe: Recipe,
        folder: Path,
        settings: Settings,
        in_use: Model | None = None,
        take_turn: TakeTurn = nullcontext,
        reserve: Callable[[int], None] = lambda count: None,
    ) -> None:
        """
        Args:
            in_use: what the new model is compared with: ``model``, or a copy of it made before.
            take_turn: waits for the turn to work.
            reserve: told how many bytes its files take from now on, before they are written and in the end; it raises
                where there is no room.
        """
        super().__init__("optimization", take_turn)
        self.source = model
        self.in_use = in_use or model
        self.plan = plan
        self.recipe = recipe
        self.model: Model | None = None
        self.report: GateReport | None = None
        self.before: GateReport | None = None
        self.speed: SpeedComparison | None = None
        self._folder = folder
        self._settings = settings
        self._reserve = reserve
        self._worker: WorkerProcess | None = None
        self._steps = StepProgress(STEPS, lambda: self.check_cancelled(CANCELLED))
        self._started = self._ended = 0.0
        self.start()

    @property
    def steps(self) -> tuple[StepState, ...]:
        """A snapshot of all steps, those still to come included."""
        return self._steps.states

    @property
    def seconds(self) -> float:
        """Since its turn came, or in all; 0 before."""
        return (self._ended or time.perf_counter()) - self._started if self._started else 0.0

    def cancel(self) -> None:
        """Stop at once: whatever a library is doing ends with its process."""
        super().cancel()
        if self._worker is not None:
            self._worker.kill()

    def work(self) -> None:
        """Optimise in a draft folder, which becomes ``folder`` at the end."""
        self._started = time.perf_counter()
        try:
            self._reserve(self._most_bytes())
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._folder.parent, prefix=f"{self._folder.name}.") as scratch:
                draft = Path(scratch) / "draft"
                draft.mkdir()
                with WorkerProcess(WORKER) as self._worker:
                    report, before = self._optimize(self._worker, Path(scratch), draft)
                draft.rename(self._folder)
            self.check_cancelled(CANCELLED)  # whoever cancelled meanwhile has seen no folder to delete
            self._reserve(folder_bytes(self._folder))
            self.model = Model(self._folder, self._settings.cache_dir)
            self.report, self.before = report, before
            self._steps.end("done")
        except WorkerEnded:
            self.check_cancelled(CANCELLED)
            raise
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DiskFull("The disk is full. The model in use is unchanged: make room, and try again.") from error
        finally:
            if self.model is None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._reserve(0)
            self._steps.end("stopped")
            self._ended = time.perf_counter()

    def _most_bytes(self) -> int:
        """Weights, an INT8 copy of half their size, and every image once as a model input."""
        split, (height, width, channels) = self.plan.split, self.source.preprocessing.input_shape
        images = len(split.calibration) + len(split.evaluation)
        card, folder = self.source.card, self.source.folder
        held = sum((folder / name).stat().st_size for name in card.sources)
        return held * 3 // 2 + images * height * width * channels

    def _optimize(self, worker: WorkerProcess, scratch: Path, draft: Path) -> tuple[GateReport, GateReport | None]:
        """Make the model in ``draft``; judge it, and the INT8 model before it, on the same images."""
        source, split, stack = self.source, self.plan.split, self.plan.stack
        self._export(worker)
        self._steps.begin(_IMAGES, len(split.calibration) + len(split.evaluation))
        used, calibration = load_inputs(stack, source.preprocessing, split.calibration, self._steps.count)
        judged, evaluation = load_inputs(stack, source.preprocessing, split.evaluation, self._steps.count)
        if min(len(used), len(judged)) < MIN_IMAGES // 2:
            raise InvalidRequest(
                f"Only {len(used)} images to calibrate and {len(judged)} to judge can be read, and each needs at "
                f"least {MIN_IMAGES // 2}. Open a stack with more readable images."
            )
        self._steps.tell(f"{len(used):,} calibrate, {len(judged):,} others judge")
        # An accuracy-aware recipe looks at images while it works; those may not judge it afterwards.
        seen = len(judged) // 2 if self.recipe.accuracy_aware else 0
        self._steps.begin(_REFERENCE, len(judged))
        reference = kept_logits(source, FP32.name, stack, judged, evaluation, self._steps.count)
        self._steps.tell(f"classes of {len(judged):,} images")
        ir = draft / source.architecture.int8_name
        self._quantize(worker, scratch, calibration, evaluation[:seen], reference[:seen], ir)
        in_use = self.in_use
        self._steps.begin(_JUDGE, len(judged) - seen + (len(judged) if in_use.has_int8 else 0))
        labels = None if self.plan.labels is None else self.plan.labels[list(judged)][seen:]
        engine = OpenVinoEngine(INT8.name, ir, None, source.stages)
        made = engine_logits(engine, evaluation[seen:], self._steps.count)
        report = judge(reference[seen:], made, labels, self.plan.asked)
        before = None
        if in_use.has_int8:
            old = kept_logits(in_use, INT8.name, stack, judged, evaluation, self._steps.count)
            before = judge(reference[seen:], old[seen:], labels, self.plan.asked)
            if self.plan.float_layers:
                self.speed = compare_speed(in_use.engine(INT8.name), engine, lambda: self.check_cancelled(CANCELLED))
        self._steps.tell(f"{report.agreement.top1:.1%} same class on {report.agreement.images:,} images")
        self._steps.begin(_KEEP)
        for name in dict.fromkeys((*source.card.sources, WEIGHTS_NAME, KNOWN_NAME)):
            if name in source.card.checksums:
                _link(source.folder / name, draft / name)
        confidence = confidence_of(source.card, stack.name, reference[seen:], made, labels)
        known = source.card.known
        if known is None and self.plan.labels is not None:
            both, given = np.concatenate([calibration, evaluation]), self.plan.labels[[*used, *judged]]
            known = write_known_by_labels(draft / KNOWN_NAME, stack.name, engine, both, given, source.card.classes)
        card = calibrated_card(
            source.card,
            draft,
            name=self._folder.name,
            stack=stack.name,
            images=len(used),
            recipe=self.recipe,
            float_layers=self.plan.float_layers,
            report=report,
            confidence=confidence,
            known=known,
        )
        write_card(describe_model(card, draft), draft)
        self._steps.tell(CARD_NAME)
        return report, before

    def _export(self, worker: WorkerProcess) -> None:
        source, architecture, folder = self.source, self.source.architecture, self.source.forms_folder
        if are_made(architecture, folder):
            onnx_fact = file_fact(source.converted) if source.has_network else ""
            ir_fact = file_fact((folder / architecture.fp32_name).with_suffix(".bin"))
            for title, fact in zip(EXPORT_STEPS, ("", onnx_fact, "", ir_fact), strict=True):
                self._steps.skip(title, f"{fact}, made before" if fact else "done before")
            return
        self.check_cancelled(CANCELLED)
        make_forms_with(worker, architecture, source.weights, source.preprocessing, folder, self._on_event)

    def _quantize(
        self,
        worker: WorkerProcess,
        scratch: Path,
        calibration: NDArray[np.uint8],
        validation: NDArray[np.uint8],
        reference: NDArray[np.float32],
        ir: Path,
    ) -> None:
        self.check_cancelled(CANCELLED)
        files = {name: scratch / f"{name}.npy" for name in ("calibration", "validation", "classes")}
        np.save(files["calibration"], calibration)
        held_back = None
        if len(validation):
            np.save(files["validation"], validation)
            np.save(files["classes"], reference.argmax(axis=1))
            held_back = {"inputs": files["validation"], "classes": files["classes"]}
        worker.call(
            "make_int8",
            self._on_event,
            architecture=self.source.architecture.name,
            preprocessing=self.source.preprocessing.model_dump(),
            onnx=self.source.converted,
            stages=[(stage.module, stage.channels) for stage in self.source.stages],
            transformer=self.source.card.graph is not None and self.source.card.graph.transformer,
            inputs=files["calibration"],
            validation=held_back,
            recipe=self.recipe.name,
            ir=ir,
            float_layers=self.plan.float_layers,
        )

    def _on_event(self, event: Event) -> None:
        match event["event"]:
            case "step":
                self._steps.begin(event["title"])
            case "detail":
                self._steps.tell(event["text"])
            case "progress":
                words = _DOING.get(event["doing"], "working, {done:,} of {total:,}").format(**event)
                self._steps.tell(words, event["done"] / max(event["total"], 1))


def _link(source: Path, target: Path) -> None:
    """The same file under another name, without copying it where the file system can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
