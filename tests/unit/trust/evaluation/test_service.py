"""Evaluations of a stack: nothing is recognised twice, one at a time, and none keeps its stack alive."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import Busy, EngineUnavailable, InvalidRequest, LabelsInvalid
from core.base.settings import Settings
from core.models.card import CARD_NAME
from core.models.model import Model
from core.recognition.service import Order, RecognitionService, Watcher
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from core.trust.evaluation.evaluation import Subject
from core.trust.evaluation.job import MAX_SUBJECTS, EvaluationJob, EvaluationPlan
from core.trust.evaluation.known import KnownClasses, known_from_folders
from core.trust.evaluation.service import EvaluationService
from tests.builders import BROKEN_PNGS
from tests.conftest import MakeStack
from tests.helpers import SECONDS, FakeEngine, FakeModel, grey_png, wait_until

INT8, FP32 = "openvino-int8", "openvino-fp32"
# Shades 1 and 2, of which one of each lies in the other's folder; the model names an image after its shade.
FILES = {
    "1/a.png": grey_png(1),
    "1/b.png": grey_png(1),
    "1/c.png": grey_png(2),
    "2/a.png": grey_png(2),
    "2/b.png": grey_png(1),
    "2/broken.png": BROKEN_PNGS["wrong checksum of IDAT"],
    "other/a.png": grey_png(9),
    "bare.png": grey_png(3),
}


class Greys(FakeModel):
    """A model that every engine can run."""

    def missing(self, engine: str) -> str:
        """Nothing is."""
        return ""


class Setup:
    def __init__(self, stack: ImageStack, settings: Settings, folder: Path) -> None:
        self.stack = stack
        self.settings = settings
        self.folder = folder
        self.recognition = RecognitionService(settings)
        self.service = EvaluationService(self.recognition)
        self.engines = {name: FakeEngine(name) for name in (INT8, FP32)}
        self.model = Greys(folder / "greys", *self.engines.values())
        self.known = known_from_folders([entry.name for entry in stack.entries])

    @property
    def asked(self) -> dict[str, int]:
        """Images that each engine was asked for."""
        return {name: sum(engine.batch_sizes) for name, engine in self.engines.items()}

    def plan(self, *engines: str, model: Model | None = None, known: KnownClasses | None = None) -> EvaluationPlan:
        subjects = tuple(Subject(model or self.model, engine) for engine in engines)
        return EvaluationPlan(self.stack, known or self.known, subjects)

    def run(self, plan: EvaluationPlan) -> EvaluationJob:
        job = self.service.evaluate(plan)
        job.wait(SECONDS)
        return job


@pytest.fixture
def setup(make_stack: MakeStack, settings: Settings, tmp_path: Path) -> Setup:
    return Setup(make_stack(FILES), settings, tmp_path / "models")


def test_labelled_images_are_judged_and_everything_else_is_said(setup: Setup) -> None:
    job = setup.run(setup.plan(INT8))
    assert (job.status, job.message) == ("done", "")
    assert job.evaluation is not None
    assert job.report is not None
    (run,) = job.report.runs
    assert (run.images, run.top1.value) == (5, 0.6)
    assert (run.model, run.engine, run.label) == ("greys", INT8, "OpenVINO INT8")
    assert {(pair.known, pair.named, pair.images) for pair in run.confusion} == {("1", "2", 1), ("2", "1", 1)}
    assert [one.file for one in run.worst] == ["1/c.png", "2/b.png"]
    assert {note.code: note.count for note in job.report.notes} == {
        "images_without_label": 1,
        "labels_match_no_class": 1,
        "classes_without_images": 254,
        "images_unreadable": 1,
        "few_images": 5,
        "few_images_of_classes": 2,
    }
    assert job.evaluation.left_out
    assert setup.asked[INT8] == 5, "nobody asked for images without a class"


def test_what_is_recognised_already_is_not_recognised_again(setup: Setup) -> None:
    order = Order(setup.stack, [0, 1, 2], setup.model, (INT8,))
    setup.recognition.run(order, "page", Watcher(), setup.run(setup.plan(FP32)).cancelled)
    assert setup.asked == {INT8: 3, FP32: 5}
    first = setup.run(setup.plan(INT8, FP32))
    assert setup.asked == {INT8: 5, FP32: 5}
    assert (first.progress.done, first.progress.total) == (12, 12)
    again = setup.run(setup.plan(INT8, FP32))
    assert setup.asked == {INT8: 5, FP32: 5}
    assert again.report is not None
    assert again.report.comparisons[0].agreement.value == 1.0


def test_a_model_of_the_same_name_that_answers_otherwise_is_not_taken_for_it(setup: Setup) -> None:
    setup.run(setup.plan(INT8))
    card = json.loads((setup.model.folder / CARD_NAME).read_text())
    engine = FakeEngine(INT8)
    other = Greys(setup.folder / "other" / "greys", engine)
    card["classes"][1], card["classes"][2] = "2", "1"
    (other.folder / CARD_NAME).write_text(json.dumps(card))
    other = GreysAgain(other.folder, engine)
    assert (other.card.name, other.checksum) == (setup.model.card.name, setup.model.checksum)
    job = setup.run(setup.plan(INT8, model=other))
    assert sum(engine.batch_sizes) == 5
    assert job.report is not None
    assert job.report.runs[0].top1.value == 0.4


class GreysAgain(Greys):
    """A model whose card is there already."""

    def __init__(self, folder: Path, engine: FakeEngine) -> None:
        Model.__init__(self, folder, folder / "cache")
        self._given = {engine.name: engine}
        self.loads = []


def test_labels_of_two_models_are_told_apart(setup: Setup) -> None:
    other = Greys(setup.folder / "others", FakeEngine(INT8))
    plan = EvaluationPlan(setup.stack, setup.known, (Subject(setup.model, INT8), Subject(other, INT8)))
    job = setup.run(plan)
    assert job.report is not None
    assert len({run.label for run in job.report.runs}) == 2
    assert len(job.report.comparisons) == 1


@pytest.mark.parametrize(
    ("engines", "labels", "error"),
    [
        ((), None, InvalidRequest),
        ((INT8, INT8), None, InvalidRequest),
        ((INT8,) * (MAX_SUBJECTS + 1), None, InvalidRequest),
        ((INT8,), {0: "nothing", 1: "else"}, LabelsInvalid),
        ((INT8,), {}, LabelsInvalid),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_begins(
    setup: Setup, engines: tuple[str, ...], labels: dict[int, str] | None, error: type[Exception]
) -> None:
    known = None if labels is None else KnownClasses(labels, "labels")
    with pytest.raises(error):
        setup.service.evaluate(setup.plan(*engines, known=known))
    assert setup.service.job(setup.stack) is None
    assert setup.asked == {INT8: 0, FP32: 0}


def test_an_engine_that_a_model_lacks_is_refused(setup: Setup, tmp_path: Path) -> None:
    plain = FakeModel(tmp_path / "plain", FakeEngine(FP32))
    with pytest.raises(EngineUnavailable, match="no INT8 copy yet"):
        setup.service.evaluate(setup.plan(INT8, model=plain))


def test_no_image_that_can_be_read_is_a_failure_in_one_sentence(setup: Setup) -> None:
    broken = next(place for place, entry in enumerate(setup.stack.entries) if "broken" in entry.name)
    job = setup.run(setup.plan(INT8, known=KnownClasses({broken: "2"}, "labels")))
    assert (job.status, job.report) == ("failed", None)
    assert "None of the images with a label can be read" in job.message


def held_up(setup: Setup) -> tuple[EvaluationJob, Callable[[], None]]:
    """An evaluation whose engine waits."""
    reached, go = threading.Event(), threading.Event()

    def wait(batch: np.ndarray) -> None:
        reached.set()
        assert go.wait(SECONDS)

    setup.engines[INT8].before = wait
    job = setup.service.evaluate(setup.plan(INT8))
    wait_until(reached.is_set, "the engine to be asked")
    return job, go.set


def test_one_at_a_time(setup: Setup) -> None:
    job, go = held_up(setup)
    assert job.progress.phase == "recognizing"
    with pytest.raises(Busy):
        setup.service.evaluate(setup.plan(FP32))
    go()
    job.wait(SECONDS)
    assert job.status == "done"
    assert setup.run(setup.plan(FP32)).status == "done"


def test_a_cancelled_one_has_no_result_and_is_in_nobodys_way(setup: Setup) -> None:
    job, go = held_up(setup)
    job.cancel()
    go()
    job.wait(SECONDS)
    assert (job.status, job.evaluation, job.report) == ("cancelled", None, None)
    setup.engines[INT8].before = lambda batch: None
    after = setup.run(setup.plan(INT8))
    assert after.report is not None
    assert after.report.runs[0].images == 5


def test_an_evaluation_that_has_ended_keeps_no_stack(setup: Setup, store: StackStore) -> None:
    job = setup.run(setup.plan(INT8, FP32))
    gone = weakref.ref(setup.stack)
    store.delete(setup.stack.id)
    del setup.stack
    wait_until(lambda: gc.collect() >= 0 and gone() is None, "the stack to go")
    assert job.report is not None
