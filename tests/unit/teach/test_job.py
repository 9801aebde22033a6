"""A whole teaching with the real worker: a small stack of two patterns, to an INT8 model that tells them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import InvalidRequest
from core.base.settings import Settings
from core.models.head import read_head
from core.models.model import Model
from core.optimize.gate import GATE_AGREEMENT
from core.recognition.classifier import Classifier
from core.recognition.recognize import recognize
from core.recognition.service import RecognitionService
from core.stacks.stack import ImageStack
from core.teach.features import Looker
from core.teach.job import TeachingJob, asked_agreement
from core.teach.lesson import Lesson
from core.teach.taught import read_examples
from core.trust.maps import maps_of, outputs_for_maps
from tests.builders import photo_png
from tests.conftest import MakeStack
from tests.unit.teach.stripes import stripes, stripes_files

COUNT = 12  # of each kind
SECONDS = 400


@pytest.fixture
def stack(make_stack: MakeStack) -> ImageStack:
    return make_stack(stripes_files(COUNT))


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    labels = {index: "lying" if index < COUNT else "upright" for index in range(2 * COUNT) if index % 6}
    return Lesson(labels, ("upright", "lying"), tmp_path / "models" / "stripes", "Stripes", threshold=0.1)


@pytest.fixture
def looker(stack: ImageStack, starter: Model, settings: Settings) -> Looker:
    return Looker(RecognitionService(settings), stack, starter)


@pytest.mark.torch
def test_a_taught_model_tells_new_images_apart(
    looker: Looker, lesson: Lesson, stack: ImageStack, settings: Settings, tmp_path: Path
) -> None:
    job = TeachingJob(looker, lesson, settings)
    job.wait(SECONDS)
    assert (job.status, job.message) == ("done", "")
    assert job.model is not None
    assert job.report is not None
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["stripes"]
    card = job.model.card
    assert (card.name, card.title, card.classes) == ("stripes", "Stripes", ("upright", "lying"))
    assert card.architecture == "ResNet18 with a head over its four stages"
    assert sorted(card.checksums) == [
        "examples.safetensors",
        "known.safetensors",
        "resnet18-stages-int8.bin",
        "resnet18-stages-int8.xml",
        "weights.safetensors",
    ]
    assert job.report.agreement_int8_fp32 >= asked_agreement(job.report.accuracy_cross_validated.value)
    count = len(lesson.labels)
    assert (job.report.images_labelled, job.report.images_held_out) == (count, 0)
    assert len(read_examples(job.model)) == count
    fitted = card.confidence["pytorch-fp32"]
    assert (fitted.images, fitted.judged) == (count, count)
    assert "has not seen it" in fitted.source
    assert card.confidence["openvino-int8"].judged == 0, "INT8 follows FP32: what is labelled was learnt from"
    new = [index for index in range(2 * COUNT) if index not in lesson.labels]
    found = recognize(stack, new, job.model, "openvino-int8", settings)
    right = sum(one.label == ("lying" if one.index < COUNT else "upright") for one in found.predictions)
    assert found.precision == "INT8"
    assert right >= len(new) - 1
    assert all(one.calibrated for one in found.predictions)
    assert card.known is not None
    assert card.known.kept == pytest.approx(0.9), "the threshold that was chosen while teaching"
    foreign = Classifier(job.model, "openvino-int8").predict([photo_png(128, 128, seed=number) for number in range(4)])
    assert [one.known for one in foreign] == [False] * 4
    assert sum(one.known is True for one in found.predictions) >= len(new) - 1
    assert foreign[0].caption.startswith("none of these (nearest: ")
    batch = np.zeros((2, 224, 224, 3), np.uint8)
    every = job.model.engine("openvino-int8").infer(batch, ("logits", "features", "maps.4"))
    assert {name: values.shape for name, values in every.items()} == {
        "logits": (2, 2),
        "features": (2, 960),
        "maps.4": (2, 512, 7, 7),
    }
    head = read_head(job.model)
    names = outputs_for_maps(job.model.stages, head.weight.shape[1])
    for engine, tolerance in (("openvino-int8", 0.05), ("pytorch-fp32", 0.002)):
        found = job.model.engine(engine).infer(_inputs(stack, new[:2]), ("logits", *names))
        for place in range(2):
            maps = maps_of(found, place, names, head.weight)
            assert maps.shape == (2, 56, 56)
            assert np.abs(maps.mean(axis=(1, 2)) + head.bias - found["logits"][place]).max() < tolerance


def _inputs(stack: ImageStack, indices: list[int]) -> np.ndarray:
    kept = stack.inputs()
    found = np.empty((len(indices), *kept.shape), np.uint8)
    for place, index in enumerate(indices):
        kept.read(index, found[place])
    return found


def test_a_job_that_has_ended_keeps_no_stack(looker: Looker, lesson: Lesson, settings: Settings) -> None:
    job = TeachingJob(looker, replace(lesson, folder=Path("/proc/nowhere/stripes")), settings)
    job.wait(SECONDS)
    assert job.status == "failed"
    assert job.message.startswith("Nothing could be written")
    with pytest.raises(AssertionError):
        _ = job.looker
    assert (job.model, job.report) == (None, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda labels: {}, "two classes with three labelled images"),
        (lambda labels: dict.fromkeys(labels, "lying"), "two classes"),
        (lambda labels: {1: "lying", 3: "lying", 5: "lying", 13: "upright", 15: "upright"}, "three labelled images"),
    ],
)
def test_too_little_is_said_before_any_work(
    looker: Looker, lesson: Lesson, settings: Settings, change: Callable[[dict[int, str]], dict[int, str]], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        TeachingJob(looker, replace(lesson, labels=change(dict(lesson.labels))), settings)


def test_a_small_stack_cannot_calibrate(
    make_stack: MakeStack, starter: Model, lesson: Lesson, settings: Settings
) -> None:
    small = make_stack({f"{number}.png": stripes("lying", number) for number in range(8)})
    with pytest.raises(InvalidRequest, match="at least 20 images; this one has 8"):
        TeachingJob(Looker(RecognitionService(settings), small, starter), lesson, settings)


@pytest.mark.parametrize(("accuracy", "asked"), [(1.0, GATE_AGREEMENT), (0.97, 0.987), (0.56, 0.946)])
def test_the_gate_asks_less_where_classes_overlap(accuracy: float, asked: float) -> None:
    assert asked_agreement(accuracy) == pytest.approx(asked)
