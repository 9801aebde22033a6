"""The Review page as a script: what differs comes first, steps, marks and their tally."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from core.optimize.layer_job import LayerErrorsJob
from core.optimize.speed import SpeedComparison
from core.recognition.results import ClassScore, Prediction
from core.runtime import get_runtime
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session
from tests.fake_worker import SetAccident
from tests.helpers import SECONDS, wait_until
from tests.ui.app import ROUTER
from tests.ui.test_pages import page_text, session, stack_of, upload


@pytest.fixture
def app() -> Iterator[AppTest]:
    yield AppTest.from_file(ROUTER, default_timeout=SECONDS).run()
    for stack_id in get_runtime().store.ids:
        get_runtime().store.delete(stack_id)


def answers(owner: Session, index: int, first: str, second: str, confidence: float) -> None:
    assert owner.stack is not None
    results = get_runtime().recognition.results(owner.stack)
    for engine, label in (("openvino-int8", first), ("pytorch-fp32", second)):
        given = Prediction(index, "x.png", (ClassScore(label, confidence),), engine, "starter")
        results.add([given], owner.model.answers_key)


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def pictures(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def test_without_two_answers_it_says_what_to_do(app: AppTest) -> None:
    app.switch_page("review.py").run()
    assert "There is no stack yet" in page_text(app)
    upload(app, stack_of(2))
    assert "Only one engine has answered" in page_text(app)


def test_disagreements_are_stepped_through_and_judged(app: AppTest) -> None:
    upload(app, stack_of(3))
    owner = session(app)
    answers(owner, 0, "cat", "dog", 0.5)
    answers(owner, 1, "cat", "cat", 0.9)
    answers(owner, 2, "church", "<b>tench</b>", 0.8)
    app.switch_page("review.py").run()
    assert not app.exception
    assert "**2** of 3 images are named differently" in page_text(app)
    assert "Image 3: " in page_text(app), "the one on which both are surest"
    assert "images/2/explanation?engine=pytorch-fp32&amp;model=starter&amp;form=overlay" in pictures(app)
    assert "<b>" not in pictures(app)
    press(app, "OpenVINO INT8 is right")
    press(app, "Next")
    assert "Image 1: " in page_text(app)
    press(app, "Neither is")
    assert "Of 2 judged: OpenVINO INT8 right 1, PyTorch FP32 right 0, neither 1" in page_text(app)
    assert "50% of them (95% interval 9% to 91%)" in page_text(app)
    press(app, "Neither is")
    assert "Of 1 judged" in page_text(app), "said again, it is taken back"
    press(app, "Previous")
    assert "Image 3: " in page_text(app)


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def compare_layers(app: AppTest) -> LayerErrorsJob:
    press(app, "Compare layer by layer")
    job = session(app).layer_errors
    assert job is not None
    job.wait(SECONDS)
    app.run()
    assert not app.exception
    return job


def open_review(app: AppTest, count: int) -> Session:
    upload(app, stack_of(count))
    owner = session(app)
    for index in range(3):
        answers(owner, index, "cat", "dog", 0.5)
    app.switch_page("review.py").run()
    return owner


@pytest.mark.torch
def test_the_worst_layers_are_shown_first_and_can_be_kept_in_fp32(
    app: AppTest, fake_worker: SetAccident, monkeypatch: pytest.MonkeyPatch
) -> None:
    speed = SpeedComparison(200.0, 150.0, 0.75, 0.7, 0.8)  # measured for real in tests/unit/optimize/test_layer_job.py
    monkeypatch.setattr("core.optimize.run.compare_speed", lambda *_: speed)
    owner = open_review(app, 20)
    job = compare_layers(app)
    assert job.indices == (0, 1, 2)
    table = app.table[0].value
    assert list(table.index) == ["stage 4, block 2, convolution 2", "first convolution", "last layer"]
    assert list(table["Signal to noise"]) == ["5.0 dB", "30.0 dB", "exact"]
    assert list(table["Error it adds"]) == ["56.2%", "3.2%", "none"]
    app.multiselect[0].set_value(["first convolution"]).run()
    press(app, "Calibrate again with these in FP32")
    (made,) = owner.optimizations
    made.wait(SECONDS)
    app.run()
    assert (made.status, made.message) == ("done", "")
    assert made.plan.float_layers == ("first convolution",)
    assert made.recipe.title == "Full bias correction", "as the one in use: only the layers differ"
    assert "Full bias correction, 1 layer in FP32" in page_text(app)
    assert made.speed == speed
    assert escape(speed.sentence) in page_text(app)
    assert any(metric.label == "Agreement" and metric.delta.startswith("before ") for metric in app.metric)
    assert owner.chosen_model is None, "nothing is put to use by itself"
    assert any(label.startswith("Use this model") for label in buttons(app))


@pytest.mark.torch
def test_the_comparison_can_be_cancelled_and_tells_its_failure(app: AppTest, fake_worker: SetAccident) -> None:
    owner = open_review(app, 3)
    fake_worker("Compare layer by layer:endless")
    press(app, "Compare layer by layer")
    job = owner.layer_errors
    assert job is not None
    wait_until(lambda: job.steps[-1].detail == "image 1 of 2", "the comparison")
    app.run()
    assert "image 1 of 2" in app.get("progress")[0].proto.text
    assert "Compare layer by layer" not in buttons(app)
    press(app, "Cancel")
    job.wait(SECONDS)
    assert job.status == "cancelled"
    app.run()
    fake_worker("Compare layer by layer:broken")
    press(app, "Compare again")
    job = owner.layer_errors
    assert job is not None
    job.wait(SECONDS)
    app.run()
    assert "The weights are broken" in app.error[0].value
    assert not app.table
    fake_worker("")
    press(app, "Compare again")
    job = owner.layer_errors
    assert job is not None
    job.wait(SECONDS)
    app.run()
    assert "at least 20 images" in page_text(app), "too few to calibrate"
    assert "Calibrate again with these in FP32" not in buttons(app)


def test_answers_of_another_model_are_not_explained_by_the_one_in_use(app: AppTest) -> None:
    owner = open_review(app, 3)
    assert owner.stack is not None
    results = get_runtime().recognition.results(owner.stack)
    for index in range(3):
        given = Prediction(index, "x.png", (ClassScore("tench", 0.5),), "openvino-int8", "other")
        results.add([given], "another model")
    app.run()
    assert "answers are of another model" in page_text(app)
    assert "Compare layer by layer" not in buttons(app)


@pytest.mark.torch
def test_closing_the_stack_ends_the_comparison(app: AppTest, fake_worker: SetAccident) -> None:
    owner = open_review(app, 3)
    fake_worker("Compare layer by layer:endless")
    press(app, "Compare layer by layer")
    job = owner.layer_errors
    assert job is not None
    owner.close()
    job.wait(SECONDS)
    assert job.status == "cancelled"
    assert owner.layer_errors is None


def test_engines_that_agree_leave_nothing_to_review(app: AppTest) -> None:
    upload(app, stack_of(1))
    answers(session(app), 0, "cat", "cat", 0.9)
    app.switch_page("review.py").run()
    assert "agree on every image" in app.success[0].value
