"""What one browser has open: its stacks, what it looks at, and the work it has running."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import streamlit as st

from core.api.client_names import client_name
from core.base.afterwards import when_gone
from core.base.background import BackgroundJob, TakeTurn
from core.base.errors import StackNotFound
from core.engines.engine import EngineName
from core.engines.registry import default_engine
from core.images.pixels import RangeOf
from core.models.model import Model
from core.models.own import ImportJob
from core.optimize.layer_job import LayerErrorsJob
from core.optimize.run import OptimizationJob
from core.recognition.fair_queue import Lane
from core.recognition.jobs import RecognitionJob
from core.recognition.range_job import RangeJob
from core.runtime import get_runtime
from core.stacks.files import KeptFile
from core.stacks.quota import QuotaShare
from core.stacks.stack import ImageStack
from core.teach.job import TeachingJob
from core.teach.live import LiveTeaching
from core.trust.evaluation.job import EvaluationJob
from pages._ui.benchmark.state import Benchmarks
from pages._ui.shell.holdings import Holdings
from pages._ui.shell.messages import waiting
from pages._ui.viewer.view import ViewState

MOST_OPEN = 4  # stacks of a session: the one on show, and others that one can go back to


@dataclass(frozen=True, slots=True)
class PutAside:
    """A stack that is open while another one is on show, and what was looked at in it."""

    stack: ImageStack
    view: ViewState


@dataclass(eq=False)
class Session:
    """The typed state of a browser, whose tabs share it; see ``pages._ui.shell.browsers``."""

    stack: ImageStack | None = None
    aside: list[PutAside] = field(default_factory=list)  # the one shown last at the end
    view: ViewState = field(default_factory=ViewState)
    view_version: int = 0
    job: RecognitionJob | None = None
    range_job: RangeJob | None = None  # that finds the range of the stack on show
    drawn_working: bool = False  # whether this run of the script began while a recognition was running
    upload_error: str = ""
    uploads: int = 0  # of stacks, as the browser reported them
    engine: EngineName = field(default_factory=lambda: default_engine().name)
    batch_size: int | None = None
    compare: bool = False
    by_itself: bool = False  # whether what is on screen is recognised without a press of a button
    chosen_model: Model | None = None
    weights: tuple[KeptFile, ...] = ()  # of a model to be added: its file, one or both of an IR's
    weights_error: str = ""
    own_models: list[Model] = field(default_factory=list)
    import_job: ImportJob | None = None
    preprocessing_unknown: bool = False  # the last import has asked for it
    trial: RecognitionJob | None = None  # of the model that was imported last
    asked_imagenet: BackgroundJob | None = None  # the job that this session has asked for
    announced: BackgroundJob | None = None  # the one whose end it was told
    optimizations: list[OptimizationJob] = field(default_factory=list)
    live: LiveTeaching | None = None
    backbone: Model | None = None  # what is taught
    labelling: bool = False  # Label mode on the viewer page
    opened_sessions: int = 0
    teach_error: str = ""
    teach_note: str = ""
    make_error: str = ""
    model_title: str = ""  # that was asked for last: the field is not there while it is made
    teaching_job: TeachingJob | None = None
    taught: Model | None = None  # what became of it
    layer_errors: LayerErrorsJob | None = None  # of the images that INT8 and FP32 name differently
    evaluation: EvaluationJob | None = None
    evaluation_error: str = ""
    # What is looked at of it: the class that images show, what they were called, and their positions.
    evaluation_cell: tuple[str, str, tuple[int, ...]] | None = None
    declined: list[OptimizationJob] = field(default_factory=list)  # those instead of which the model in use was kept
    benchmarks: Benchmarks = field(default_factory=Benchmarks)
    _holdings: Holdings = field(default_factory=Holdings, repr=False)
    _mark: object = None  # of what the tabs show

    def __post_init__(self) -> None:
        """What runs for a session ends with it."""
        when_gone(self, self._holdings.end)

    @property
    def model(self) -> Model:
        """The model in use: the chosen one, or the app's default.

        Raises:
            ModelError: there is none.
        """
        return self.chosen_model or get_runtime().models.get()

    @property
    def client(self) -> str:
        """The name this session's stacks and requests are counted under, the same as over HTTP."""
        return client_name(st.context.ip_address)

    def take_turn(self, about: str, lane: Lane) -> TakeTurn:
        """How a job of this session waits for its turn; see ``AppRuntime.take_turn``."""
        return get_runtime().take_turn(self.client, about, lane)

    @property
    def waiting_text(self) -> str:
        """What to read while heavy work on the open stack waits for its turn."""
        return waiting(get_runtime().recognition.queue.ahead(self.stack.id if self.stack else ""))

    def watch(self, job: BackgroundJob) -> None:
        """Have a job that has been started cancelled when the session ends."""
        self._holdings.watch(job)

    def new_model_room(self, name: str) -> tuple[Path, QuotaShare]:
        """A folder, not made yet, for a model of this session, and its part of the quota; both go with the session."""
        folder, share = get_runtime().new_model_folder(name), get_runtime().store.share(self.client)
        self._holdings.keep(folder, share)
        return folder, share

    def forget_model(self, model: Model) -> None:
        """Let go of a model that is deleted, with the files of a session's own; the default one takes over."""
        self.own_models = [one for one in self.own_models if one is not model]
        self.optimizations = [job for job in self.optimizations if model not in (job.model, job.source)]
        self.chosen_model = None if self.chosen_model is model else self.chosen_model
        self.taught = None if self.taught is model else self.taught
        self.trial = None
        if self.backbone is model:
            self.stop_teaching()
            self.backbone = None
        self._holdings.drop(model.folder)

    @property
    def busy(self) -> bool:
        """Whether something runs that may need the files of a model."""
        running = (
            self.job,
            self.range_job,
            self.import_job,
            self.teaching_job,
            self.evaluation,
            self.layer_errors,
            self.benchmarks.job,
        )
        return self.optimizing or any(job is not None and job.status == "running" for job in running)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to come back to."""
        return self.stack is None and not (self.aside or self.own_models or self.weights or self.benchmarks.reports)

    def pause(self) -> None:
        """Nobody looks any more: end what runs. What is open, and what was made, stays."""
        self._holdings.cancel()
        if self.live is not None:
            self.live.stop()
            self.live = None

    def open(self, source: BinaryIO, name: str) -> None:
        """Open a ZIP, and show it.

        Raises:
            AppError: as for ``StackStore.create``; nothing has changed.
        """
        self.adopt(get_runtime().store.create(source, name, self.client))

    def adopt(self, stack: ImageStack) -> None:
        """Show ``stack``, which has just been uploaded; it lives no longer than the session.

        The one on show is put aside, and of those the one shown longest ago closed where there are too many.
        """
        self._put_aside()
        for one in self.aside[: 1 - MOST_OPEN]:
            self.close_stack(one.stack.id)
        self.stack = stack
        when_gone(self, get_runtime().store.delete, stack.id)

    def replace(self, stack: ImageStack) -> None:
        """Show ``stack`` in the place of the one on show, which is closed; Label mode stays as it is."""
        labelling = self.labelling
        self.close()
        self.adopt(stack)
        self.labelling = labelling

    def go_to(self, stack_id: str) -> None:
        """Show a stack that was put aside, as it was left; unknown ids are ignored."""
        found = next((one for one in self.aside if one.stack.id == stack_id), None)
        if found is not None:
            self._put_aside()
            self.aside.remove(found)
            self.stack, self.view = found.stack, found.view

    def close_stack(self, stack_id: str) -> None:
        """Close the stack on show, or one that was put aside; unknown ids are ignored."""
        if self.stack is not None and self.stack.id == stack_id:
            self.close()
        elif any(one.stack.id == stack_id for one in self.aside):
            self.aside = [one for one in self.aside if one.stack.id != stack_id]
            get_runtime().store.delete(stack_id)

    def keep_weights(self, *weights: KeptFile) -> None:
        """Keep files of a model that have been uploaded, instead of those before; they go with the session."""
        files = get_runtime().store.files
        for one in self.weights:
            if one not in weights:
                files.delete(one.file_id)
        self.weights = weights
        for one in weights:
            when_gone(self, files.delete, one.file_id)

    def close(self) -> None:
        """Close the stack on show, if any, and stop its work."""
        if self.stack is not None:
            get_runtime().store.delete(self.stack.id)
        self._show_none()

    def _put_aside(self) -> None:
        if self.stack is not None:
            self.aside.append(PutAside(self.stack, self.view))
        self._show_none()

    def _show_none(self) -> None:
        for work in (self.job, self.range_job):
            if work is not None:
                work.cancel()
        self.range_job = None
        for optimization in self.optimizations:
            optimization.cancel()
        self.stop_teaching()
        for job in (self.evaluation, self.layer_errors, self.trial):
            if job is not None:
                job.cancel()
        self.layer_errors = self.trial = None
        self.evaluation, self.evaluation_error, self.evaluation_cell = None, "", None
        self.stack, self.job, self.optimizations, self.declined = None, None, [], []
        self.view, self.view_version = ViewState(), self.view_version + 1
        self.upload_error = ""

    def scale_by(self, range_of: RangeOf) -> None:
        """Show and recognise the images of the stack on show by this range of values; labels stay.

        What was learned and evaluated belongs to the choice before.

        Raises:
            RangeUnknown: that of the stack is not known yet.
        """
        assert self.stack is not None  # noqa: S101 - the choice is one of a stack
        results = get_runtime().recognition.results
        threshold = results(self.stack).threshold
        self.stack.choose_range(range_of)
        results(self.stack).threshold = threshold  # a person's own: it holds for the stack
        if self.live is not None:
            self.live.stop()
            self.live = None
        self.evaluation, self.evaluation_error, self.evaluation_cell = None, "", None
        self.layer_errors = None
        self.show(self.view.current, self.view.selected)

    def stop_teaching(self) -> None:
        """End what is learned and made of the stack's labels; models that were made stay."""
        if self.live is not None:
            self.live.stop()
        if self.teaching_job is not None:
            self.teaching_job.cancel()
        self.live, self.teaching_job, self.taught = None, None, None
        self.labelling = False
        self.teach_error = self.teach_note = self.make_error = ""

    def show(self, current: int, selected: Sequence[int] = ()) -> None:
        """Have viewer and gallery show this image, and these selected."""
        self.view, self.view_version = ViewState(current, tuple(sorted(selected))), self.view_version + 1

    def has_changed(self) -> bool:
        """Whether what every tab shows is another than when this was last asked."""
        stack, results = self.stack, get_runtime().recognition.results
        mark = (
            (stack.id, stack.range_of) if stack else "",
            [one.stack.id for one in self.aside],
            self.chosen_model.checksum if self.chosen_model else "",
            [model.checksum for model in self.own_models],
            (id(self.job), self.working),
            (id(self.evaluation), self.evaluating),
            (id(self.layer_errors), self.layer_errors.status if self.layer_errors else ""),
            results(stack).version if stack else 0,
            self.live.revision if self.live else 0,
            self.view_version,
            [(id(job), job.status) for job in self.optimizations],
            (id(self.benchmarks.job), len(self.benchmarks.reports)),
        )
        changed, self._mark = mark != self._mark, mark
        return changed

    @property
    def optimizing(self) -> bool:
        """Whether an optimisation is running."""
        return bool(self.optimizations) and self.optimizations[-1].status == "running"

    @property
    def evaluating(self) -> bool:
        """Whether an evaluation is running."""
        return self.evaluation is not None and self.evaluation.status == "running"

    @property
    def working(self) -> bool:
        """Whether a recognition is running."""
        return self.job is not None and not self.job.state.finished

    def let_go_of_expired(self) -> None:
        """Forget stacks that are no more, with a word about the one on show; to be asked keeps the others alive."""
        self.aside = [one for one in self.aside if not _gone(one.stack)]
        if self.stack is not None and (reason := _gone(self.stack)):
            self.close()
            self.upload_error = reason


def _gone(stack: ImageStack) -> str:
    """Why a stack is not there any more; empty while it is."""
    try:
        get_runtime().store.get(stack.id)
    except StackNotFound as error:
        return str(error)
    return ""
