"""One evaluation in the background: recognise what is not recognised yet, and judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from core.base.background import BackgroundJob, Status
from core.base.errors import EngineUnavailable, InvalidRequest
from core.engines.engine import EngineName
from core.recognition.fair_queue import CANCELLED
from core.recognition.results import Prediction
from core.recognition.service import Activity, Door, Order, RecognitionService, Watcher
from core.stacks.stack import ImageStack
from core.trust.evaluation.answers import Judged, KeptAnswers
from core.trust.evaluation.evaluation import Evaluation, Subject, evaluate, run_labels
from core.trust.evaluation.known import KnownClasses, Match, match
from core.trust.evaluation.report import EvaluationReport

MAX_SUBJECTS = 6

Phase = Literal[Activity, "judging"]


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What to evaluate on what, and for whom; ``batch_size`` is images per inference call, 0 is automatic."""

    stack: ImageStack
    known: KnownClasses
    subjects: tuple[Subject, ...]
    client: str = ""
    batch_size: int = 0

    def matches(self) -> list[Match]:
        """The labels beside each subject's classes; also says what can be known to fail before any work.

        Raises:
            InvalidRequest: no subject, too many, or one twice.
            EngineUnavailable: a model cannot be run by an engine.
            LabelsInvalid: no label is a class of a model.
        """
        if not 0 < len(self.subjects) <= MAX_SUBJECTS:
            raise InvalidRequest(f"Evaluate one to {MAX_SUBJECTS} models and engines together.")
        if len(set(self.subjects)) < len(self.subjects):
            raise InvalidRequest("Name every model and every engine once.")
        for subject in self.subjects:
            if missing := subject.model.missing(subject.engine):
                raise EngineUnavailable(missing)
        return [match(self.known, one.model.card.classes, one.model.card.title) for one in self.subjects]


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """How far it is: ``done`` of ``total`` answers over all subjects; ``label`` names the one at work."""

    phase: Phase
    label: str
    done: int
    total: int


class EvaluationJob(BackgroundJob, Watcher):
    """Runs in a thread of its own; ``evaluation`` and ``report`` are there once it is done.

    What was recognised is kept, however it ends.
    """

    def __init__(
        self,
        plan: EvaluationPlan,
        recognition: RecognitionService,
        keep: Callable[[ImageStack, Subject], KeptAnswers],
        door: Door = "page",
    ) -> None:
        """``keep`` gives the answers to a stack's images that are known of a subject, to which new ones are added.

        Raises:
            AppError: as ``EvaluationPlan.matches``.
        """
        super().__init__("evaluation")
        self._plan: EvaluationPlan | None = plan
        self.evaluation: Evaluation | None = None
        self.report: EvaluationReport | None = None
        self._matches = plan.matches()
        self._labels = run_labels(plan.subjects)
        self._recognition = recognition
        self._keep = keep
        self._door = door
        self._total = sum(map(len, map(_wanted, plan.subjects, self._matches)))
        self._kept: KeptAnswers | None = None
        self._done = 0
        self._place = 0
        self._phase: Phase = "waiting"
        self.start()

    @property
    def progress(self) -> EvaluationProgress:
        """A snapshot."""
        return EvaluationProgress(self._phase, self._labels[self._place], min(self._done, self._total), self._total)

    def work(self) -> None:
        """Recognise and judge."""
        plan = self.plan
        judged: list[tuple[Subject, Match, Judged]] = []
        for place, (subject, found) in enumerate(zip(plan.subjects, self._matches, strict=True)):
            self._place = place
            judged.append((subject, found, self._answers(subject, found)))
        self.check_cancelled(CANCELLED)
        self._phase = "judging"
        names = tuple(entry.name for entry in plan.stack.entries)
        self.evaluation = evaluate(plan.stack.name, names, plan.known, judged)
        self.report = EvaluationReport.of(self.evaluation)

    @property
    def plan(self) -> EvaluationPlan:
        """As long as the job runs."""
        assert self._plan is not None  # noqa: S101
        return self._plan

    def _end(self, status: Status, message: str) -> None:
        self._plan = None  # whoever keeps a job that has ended does not keep its stack
        super()._end(status, message)

    def entered(self, activity: Activity, engine: EngineName) -> None:
        """See ``Watcher.entered``."""
        self._phase = activity

    def recognized(self, predictions: Sequence[Prediction]) -> None:
        """See ``Watcher.recognized``."""
        if self._kept is not None:
            self._kept.add(predictions)
        self._done += len(predictions)

    def _answers(self, subject: Subject, found: Match) -> Judged:
        kept = self._kept = self._keep(self.plan.stack, subject)
        wanted = _wanted(subject, found)
        missing = kept.missing(wanted)
        self._done += len(wanted) - len(missing)
        self.check_cancelled(CANCELLED)
        if missing:
            plan = self.plan
            order = Order(plan.stack, missing, subject.model, (subject.engine,), plan.client, plan.batch_size)
            self._recognition.run(order, self._door, self, self.cancelled)
        return kept.of(found.truth, found.strangers)


def _wanted(subject: Subject, found: Match) -> list[int]:
    """The images that show a class; and where the model can tell foreign ones, those too, to see how well it does."""
    return [*found.truth, *(found.strangers if subject.model.card.known is not None else ())]
