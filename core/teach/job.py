"""One teaching in the background: from labels to a judged INT8 model in a folder of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.base.background import BackgroundJob, Status, TakeTurn
from core.base.errors import Cancelled, Int8NotGoodEnough, InvalidRequest, ModelError
from core.base.settings import Settings
from core.base.worker_process import WorkerEnded, WorkerProcess
from core.engines.engine import FEATURES
from core.models.card import Teaching, Temperature
from core.models.install import copy_model
from core.models.model import Model
from core.optimize.calibration import load_inputs, split
from core.optimize.gate import GATE_AGREEMENT, GateReport
from core.optimize.progress import StepProgress, StepState
from core.optimize.quantize import TAUGHT_LADDER, Recipe
from core.optimize.run import STEPS as INT8_STEPS
from core.optimize.run import CalibrationPlan, OptimizationJob
from core.recognition.known import Known
from core.teach import longer
from core.teach.evaluate import cross_validate
from core.teach.features import Looker
from core.teach.head import Examples, Head, examples, fit
from core.teach.lesson import Lesson
from core.teach.report import CrossValidationReport, TeachingReport
from core.teach.taught import (
    EXAMPLES_NAME,
    head_input,
    joined,
    known_images,
    teaching_of,
    temperature_of,
    write_examples,
    write_taught,
)
from core.trust.share import ShareRight

CANCELLED = "Cancelled. Nothing was made, and the labels are as they were."
_LOOK, _FIT, _JUDGE, _WRITE = (
    "Look at the labelled images",
    "Fit the head",
    "Cross-validate",
    "Write the model",
)
_LONGER = "Train longer"
TEACH_STEPS = (_LOOK, _FIT, _JUDGE, _LONGER, _WRITE)
_POLL_SECONDS = 0.1
_LOOK_BATCH = 8
FLIPS_FOR_EACH_ERROR = 0.1


def asked_agreement(accuracy: float) -> float:
    """The share of images on which INT8 must name FP32's class, for a head that is right on a share ``accuracy``.

    Where classes overlap, many images lie on the border, and the least difference moves them: of the head's own errors
    a tenth may flip as well.
    """
    return GATE_AGREEMENT - (1 - accuracy) * FLIPS_FOR_EACH_ERROR


class TeachingJob(BackgroundJob):
    """Runs in a thread of its own; ``model`` and ``report`` are there once it is done.

    Nothing that was there before is touched until the new model is complete.
    """

    def __init__(
        self,
        looker: Looker,
        lesson: Lesson,
        settings: Settings,
        take_turn: TakeTurn = nullcontext,
        made: Callable[[Path], None] = lambda folder: None,
    ) -> None:
        """``take_turn`` waits for the turn to work; ``made`` is called with the complete model's folder."""
        super().__init__("teaching", take_turn)
        lesson.check(looker.stack)
        if not looker.backbone.has_network:  # its features are what its last layer takes, and nothing learns but that
            if lesson.longer:
                raise InvalidRequest("An imported graph cannot be trained longer; teach its last layer alone.")
            lesson = replace(lesson, stages="all")
        self.lesson = lesson
        self._looker: Looker | None = looker
        self._made = made
        self.model: Model | None = None
        self.report: TeachingReport | None = None
        self._settings = settings
        self._steps = StepProgress(TEACH_STEPS, lambda: self.check_cancelled(CANCELLED))
        self._worker: WorkerProcess | None = None
        self._int8: OptimizationJob | None = None
        self._int8_steps = tuple(map(StepState, INT8_STEPS))
        self.start()

    @property
    def steps(self) -> tuple[StepState, ...]:
        """A snapshot of all steps, those still to come included."""
        int8 = self._int8
        return (*self._steps.states, *(int8.steps if int8 else self._int8_steps))

    def cancel(self) -> None:
        """Stop at the next opportunity; quantization at once."""
        super().cancel()
        if (int8 := self._int8) is not None:
            int8.cancel()
        if (worker := self._worker) is not None:
            worker.kill()

    def work(self) -> None:
        """Teach in a draft folder beside the last one's, which the model replaces at the end."""
        self._teach()

    def _end(self, status: Status, message: str) -> None:
        self._steps.end("stopped")
        # Whoever keeps a job that has ended does not keep its stack.
        self._int8_steps = self._int8.steps if self._int8 else self._int8_steps
        self._int8 = self._looker = None
        super()._end(status, message)

    @property
    def looker(self) -> Looker:
        """As long as the job runs."""
        assert self._looker is not None  # noqa: S101
        return self._looker

    def _teach(self) -> None:
        lesson, backbone = self.lesson, self.looker.backbone
        lesson.folder.parent.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        given, files = self._examples()
        seconds_features = time.perf_counter() - started
        self._steps.begin(_FIT)
        seen = self._seen(given)
        started = time.perf_counter()
        head = fit(seen)
        seconds_fit = time.perf_counter() - started
        self._steps.tell(f"{len(seen):,} images of {len(seen.classes)} classes")
        self._steps.begin(_JUDGE)
        found = cross_validate(seen)
        self._steps.tell(f"{found.accuracy.value:.1%} right ({found.accuracy.low:.1%} to {found.accuracy.high:.1%})")
        labels = {self.looker.stack.entries[index].name: label for index, label in lesson.labels.items()}
        with tempfile.TemporaryDirectory(dir=lesson.folder.parent, prefix="teaching.") as name:
            scratch = Path(name)
            facts = teaching_of(backbone, given, labels, found.accuracy)
            trained, said = self._train_longer(scratch, seen, head, facts)
            confidence = (
                temperature_of(trained.logits, seen.numbers[trained.rows])
                if trained
                else temperature_of(found.logits, seen.numbers)
            )
            facts = facts.model_copy(update={"longer": said})
            self._steps.begin(_WRITE)
            kept = scratch / EXAMPLES_NAME
            write_examples(given, kept)
            known = known_images(
                given, last_stage_is_new=trained is not None and trained.judgement.what == longer.STAGE
            )
            base = self._model(scratch, head, facts, trained.parameters if trained else {}, confidence, known)
            self._steps.end("done")
            made, gate = self._quantize(base, scratch, found.accuracy.value)
            self.check_cancelled(CANCELLED)
            self.model = copy_model(made, lesson.folder, title=lesson.title, settings=self._settings, beside=(kept,))
        estimate = CrossValidationReport.of(found, files)
        self.report = TeachingReport(
            model=lesson.folder.name,
            backbone=backbone.card.name,
            classes=head.classes,
            images_labelled=len(given),
            examples=facts.examples,
            accuracy_cross_validated=ShareRight.of(found.accuracy),
            seconds_features=round(seconds_features, 3),
            seconds_fit=round(seconds_fit, 3),
            agreement_int8_fp32=round(gate.agreement.top1, 4),
            train_longer=said,
            **estimate.model_dump(exclude={"accuracy"}),
        )
        self._made(lesson.folder)

    def _examples(self) -> tuple[Examples, list[str]]:
        """The labelled images that can be read, and their files' names; other earlier examples come after them."""
        looker, lesson = self.looker, self.lesson
        self._steps.begin(_LOOK, 2 * len(lesson.labels))
        indices = sorted(lesson.labels)
        readable = looker.look(indices, self.cancelled, on_images=self._steps.count)
        looker.look(readable, self.cancelled, mirrored=True, on_images=self._steps.count)
        features, mirrored = looker.read(readable), looker.read(readable, mirrored=True)
        labels, contents = [lesson.labels[index] for index in readable], looker.contents(readable)
        given = examples(lesson.classes, labels, features, mirrored, contents)
        files = [looker.stack.entries[index].name for index in readable]
        if lesson.kept is None:
            return given, files
        return joined(given, lesson.kept), files

    def _seen(self, given: Examples) -> Examples:
        """What the head looks at of them."""
        stages = self.lesson.stages
        return Examples(
            given.classes, given.numbers, head_input(given.features, stages), head_input(given.mirrored, stages)
        )

    def _train_longer(
        self, scratch: Path, seen: Examples, head: Head, facts: Teaching
    ) -> tuple[longer.Trained | None, str]:
        """What is better than the backbone and its head, if anything, and what is to be said of it."""
        if not self.lesson.longer:
            self._steps.skip(_LONGER, "not asked for")
            return None, ""
        self._steps.begin(_LONGER)
        longer.check(seen)
        looker = self.looker
        work = scratch / "longer"
        work.mkdir()
        base = self._model(work, head, facts, {})
        indices = [index for index in sorted(self.lesson.labels) if looker.stack.error(index) is None]
        _, inputs = load_inputs(looker.stack, looker.backbone.preprocessing, indices)

        def on_progress(done: int, total: int) -> None:
            self._steps.tell(f"epoch {done:,} of {total:,}", done / total)

        try:
            with WorkerProcess(longer.WORKER) as self._worker:
                found, trained = longer.train_longer(self._worker, base, seen, inputs, self._look, work, on_progress)
        except WorkerEnded:
            self.check_cancelled(CANCELLED)
            raise
        finally:
            self._worker = None
        self._steps.tell(str(found))
        return trained, str(found)

    def _look(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features ``[N, F]`` of model inputs as the head sees them, by the engine that gave those of the examples."""
        engine, found = self.looker.backbone.engine(self.looker.engine), []
        for start in range(0, len(inputs), _LOOK_BATCH):
            self.check_cancelled(CANCELLED)
            batch = np.ascontiguousarray(inputs[start : start + _LOOK_BATCH])
            found.append(engine.infer(batch, (FEATURES,))[FEATURES])
        return head_input(np.concatenate(found), self.lesson.stages)

    def _model(
        self,
        scratch: Path,
        head: Head,
        facts: Teaching,
        trained: Mapping[str, NDArray[np.float32]],
        confidence: Temperature | None = None,
        known: Known | None = None,
    ) -> Model:
        backbone, lesson = self.looker.backbone, self.lesson
        base = scratch / lesson.folder.name
        base.mkdir()
        return write_taught(
            base,
            backbone,
            backbone.checked_weights(),
            head,
            facts,
            stages=lesson.stages,
            title=lesson.title,
            cache_dir=self._settings.cache_dir,
            trained=trained,
            confidence=confidence,
            known=known,
            kept=None if lesson.threshold is None else 1 - lesson.threshold,
        )

    def _quantize(self, base: Model, scratch: Path, accuracy: float) -> tuple[Model, GateReport]:
        """The INT8 model of the first recipe that passes the gate."""
        stack = self.looker.stack
        plan = CalibrationPlan(stack, split(len(stack)), asked=asked_agreement(accuracy))
        for recipe in TAUGHT_LADDER:
            made = self._try(base, plan, recipe, scratch / recipe.name)
            if made is not None:
                return made
        raise Int8NotGoodEnough(
            f"INT8 stays below {plan.asked:.0%} agreement with FP32, so the model was not kept. "
            "Label more images, or open a larger stack."
        )

    def _try(self, base: Model, plan: CalibrationPlan, recipe: Recipe, folder: Path) -> tuple[Model, GateReport] | None:
        self.check_cancelled(CANCELLED)
        job = self._int8 = OptimizationJob(base, plan, recipe, folder, self._settings)
        while job.status == "running":
            job.wait(_POLL_SECONDS)
            if self.cancelled.is_set():
                job.cancel()
        if job.status == "cancelled":
            raise Cancelled(CANCELLED)
        if job.model is None or job.report is None:
            raise ModelError(job.message)
        return (job.model, job.report) if job.report.passed else None
