"""Evaluations as pages and API order them: one of a stack at a time, the latest kept, nothing recognised twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from weakref import WeakKeyDictionary

from core.base.errors import Busy
from core.engines.engine import EngineName
from core.images.pixels import RangeOf
from core.recognition.service import Door, RecognitionService
from core.stacks.stack import ImageStack
from core.trust.evaluation.answers import KeptAnswers
from core.trust.evaluation.evaluation import Subject
from core.trust.evaluation.job import EvaluationJob, EvaluationPlan

# Runs whose answers are kept of one stack; 20,000 images take 0.8 MB. The one unused for longest makes room.
MOST_KEPT = 12

_Key = tuple[str, EngineName, RangeOf]


class EvaluationService:
    """One per process."""

    def __init__(self, recognition: RecognitionService) -> None:
        self._recognition = recognition
        self._jobs: WeakKeyDictionary[ImageStack, EvaluationJob] = WeakKeyDictionary()
        self._answers: WeakKeyDictionary[ImageStack, OrderedDict[_Key, KeptAnswers]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def job(self, stack: ImageStack) -> EvaluationJob | None:
        """The latest evaluation of a stack."""
        return self._jobs.get(stack)

    def evaluate(self, plan: EvaluationPlan, door: Door = "page") -> EvaluationJob:
        """Begin an evaluation.

        Raises:
            AppError: as ``EvaluationPlan.matches``.
            Busy: the stack is being evaluated already.
        """
        with self._lock:
            running = self._jobs.get(plan.stack)
            if running is not None and running.status == "running":
                raise Busy("This stack is being evaluated already. Wait until that is done, or cancel it.")
            job = EvaluationJob(plan, self._recognition, self._kept, door)
            self._jobs[plan.stack] = job
            return job

    def _kept(self, stack: ImageStack, subject: Subject) -> KeptAnswers:
        """What a subject has answered, what others have asked it included."""
        key = (subject.model.answers_key, subject.engine, stack.range_of)
        with self._lock:
            kept = self._answers.setdefault(stack, OrderedDict())
            if key not in kept:
                while len(kept) >= MOST_KEPT:
                    kept.popitem(last=False)
                kept[key] = KeptAnswers(len(stack), tuple(dict.fromkeys(subject.model.card.classes)))
            kept.move_to_end(key)
            answers = kept[key]
        answers.add(self._recognition.results(stack).by_model(subject.engine, subject.model.answers_key))
        return answers
