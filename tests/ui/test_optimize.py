"""The optimisation page as a script."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.base.errors import ModelError
from core.models.install import pack_model
from core.optimize.gate import GateReport, judge
from core.optimize.quantize import LADDER, TAUGHT_LADDER
from core.optimize.run import CalibrationPlan
from core.runtime import get_runtime
from tests.fake_worker import SetAccident
from tests.helpers import wait_until
from tests.ui.app import ROUTER, session
from tests.ui.optimize_page import buttons, calibrate, open_page, press, texts

pytestmark = pytest.mark.torch  # the FP32 model is made from the weights


@pytest.fixture
def high_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """INT8 never passes."""
    monkeypatch.setattr("pages._ui.optimize.form.CalibrationPlan", partial(CalibrationPlan, asked=1.1))


def test_without_a_stack_it_shows_the_model_and_the_way(app: AppTest) -> None:
    app.switch_page(str(Path(ROUTER).parent / "optimize.py")).run()
    assert not app.exception
    assert "Starter: 12 everyday classes** is in use" in texts(app)
    assert "Open a stack" in texts(app)
    assert "Calibrate on this stack" not in buttons(app)


def test_a_small_stack_is_refused_with_its_size(app: AppTest) -> None:
    open_page(app, count=5)
    assert not app.exception
    assert "this one has 5" in texts(app)
    assert "Calibrate on this stack" not in buttons(app)


def test_a_person_sees_which_images_calibrate_and_which_judge(app: AppTest) -> None:
    open_page(app, count=26)
    next(field for field in app.number_input if field.label == "Calibration images, at most 13").set_value(10).run()
    assert any(expander.label == "Which images: 10 calibrate, 16 others judge" for expander in app.expander)
    boxes = [element.proto.body for element in app.get("html") if "<img" in element.proto.body]
    stack = session(app).stack
    assert stack is not None
    shown = [[place for place in range(26) if f'/{place}/thumbnail"' in box] for box in boxes]
    assert [len(places) for places in shown] == [10, 16]
    assert sorted(shown[0] + shown[1]) == list(range(26))
    assert all(f"/api/v1/stacks/{stack.id}/" in box for box in boxes)


def test_names_of_strangers_are_text_in_the_page(app: AppTest) -> None:
    open_page(app, folder='"><script>alert(1)</script>')
    assert not app.exception
    assert not [element for element in app.get("html") if "<script>" in element.proto.body]


def test_calibrate_use_and_go_back(app: AppTest, fake_worker: SetAccident, low_gate: None) -> None:
    open_page(app)
    job = calibrate(app)
    assert job.status == "done"
    assert "names the same class as FP32" in app.success[0].value
    assert {metric.label for metric in app.metric} == {"Agreement", "Confidence drift", "KL divergence"}
    assert "accuracy" not in "".join(metric.label + metric.help for metric in app.metric).lower()
    assert all(metric.delta.startswith("before ") for metric in app.metric)
    assert session(app).chosen_model is None, "nothing is put to use by itself"
    assert not any(label.startswith(("Try next", "Keep FP32")) for label in buttons(app))
    press(app, "Use this model")
    assert session(app).model is job.model
    assert "Calibrated on photos.zip · Starter: 12 everyday classes** is in use" in texts(app)
    press(app, "Go back to the model before")
    assert session(app).model is job.source
    assert "Use this model" in buttons(app)


@pytest.fixture
def worse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every optimisation's two models, the one in use is judged the better, and both pass."""
    judged: list[GateReport] = []

    def judge_new_then_old(*given: object, **more: object) -> GateReport:
        report = replace(judge(*given, **more), asked=0.5)
        new = len(judged) % 2 == 0
        judged.append(replace(report, agreement=replace(report.agreement, top1=0.7 if new else 0.9)))
        return judged[-1]

    monkeypatch.setattr("core.optimize.run.judge", judge_new_then_old)


def kind(app: AppTest, label: str) -> str:
    return next(str(button.proto.type) for button in app.button if button.label == label)


def test_a_calibration_that_made_things_worse_is_not_recommended(
    app: AppTest, fake_worker: SetAccident, worse: None
) -> None:
    open_page(app)
    job = calibrate(app)
    assert job.report is not None
    assert job.report.passed
    assert "The model in use does better: it names FP32's class on 90.0% of the same images" in app.warning[0].value
    assert kind(app, "Keep the model in use") == "primary"
    assert kind(app, "Use this model all the same") == "secondary"
    assert "Use this model" not in buttons(app)
    press(app, "Keep the model in use")
    assert session(app).chosen_model is None
    assert "The model before was kept" in texts(app)
    assert "Keep the model in use" not in buttons(app)
    press(app, "Use this model all the same")
    assert session(app).model is job.model, "nothing is taken away"


def test_it_is_compared_with_the_copy_in_use_not_with_the_one_before_that(
    app: AppTest, fake_worker: SetAccident, low_gate: None
) -> None:
    open_page(app)
    first = calibrate(app)
    press(app, "Use this model")
    second = calibrate(app)
    assert (second.source, second.in_use) == (first.source, first.model)
    assert second.before is not None
    assert second.report is not None
    assert not second.report.is_worse_than(second.before), "the same model again"
    assert not any("Keep the model in use" in label for label in buttons(app))


def test_calibrating_again_starts_from_the_original(app: AppTest, fake_worker: SetAccident, low_gate: None) -> None:
    open_page(app)
    first = calibrate(app)
    press(app, "Use this model")
    second = calibrate(app)
    assert second.source is first.source
    assert "Earlier attempts" in texts(app)
    assert any(expander.label.endswith("same class, in use") for expander in app.expander)


def test_below_the_gate_the_ladder_is_offered_in_order_each_with_its_result(
    app: AppTest, fake_worker: SetAccident, high_gate: None
) -> None:
    open_page(app)
    calibrate(app)
    for done, recipe in enumerate(LADDER, 1):
        assert "110% is asked for" in app.warning[0].value, "the threshold that was in force"
        assert not app.success
        (table,) = [one.value for one in app.table if "Mean KL divergence" in one.value.columns]
        assert list(table.index[:4]) == [one.title for one in LADDER]
        results = list(table["Same class as FP32"])
        assert all(re.fullmatch(r"[\d.]+% of \d+", result) for result in results[:done])
        assert results[done:-1] == ["not tried"] * (4 - done)
        if recipe is not LADDER[-1]:
            assert not any(label.startswith("Keep FP32") for label in buttons(app))
            press(app, f"Try next: {LADDER[done].title}")
            assert session(app).optimizations[-1].recipe is LADDER[done]
    press(app, "Keep FP32")
    assert session(app).engine == "openvino-fp32"
    assert session(app).chosen_model is None


def test_after_a_recipe_outside_of_the_ladder_it_is_offered_from_its_beginning(
    app: AppTest, fake_worker: SetAccident, high_gate: None
) -> None:
    open_page(app)
    next(field for field in app.selectbox if field.label == "Recipe").set_value(TAUGHT_LADDER[0].name).run()
    calibrate(app)
    assert f"Try next: {LADDER[0].title}" in buttons(app)
    assert not any(label.startswith("Keep FP32") for label in buttons(app))


def test_accuracy_is_shown_where_folders_are_named_like_classes(
    app: AppTest, fake_worker: SetAccident, low_gate: None
) -> None:
    open_page(app, folder="cat")
    assert any(expander.label.startswith("Known classes: 20 of 20") for expander in app.expander)
    job = calibrate(app)
    assert job.report is not None
    assert job.report.fp32 is not None
    metric = next(metric for metric in app.metric if metric.label == "Top-1 accuracy")
    assert metric.value == f"{job.report.int8.top1:.1%}"
    assert metric.delta == f"FP32 {job.report.fp32.top1:.1%}"


def test_a_csv_gives_classes_and_a_bad_one_a_sentence(app: AppTest) -> None:
    open_page(app)
    field = next(field for field in app.file_uploader if field.label == "Labels CSV")
    field.set_value(("labels.csv", b"1.png,cat\n2.png,golf ball\n", "text/csv")).run()
    assert "The file gives 2 of 20 images a class." in texts(app)
    field = next(field for field in app.file_uploader if field.label == "Labels CSV")
    field.set_value(("labels.csv", b"other.png,cat\n", "text/csv")).run()
    assert "no image of this stack" in texts(app)
    assert not app.exception


def test_running_it_shows_each_step_and_cancelling_ends_it(app: AppTest, fake_worker: SetAccident) -> None:
    fake_worker("Calibrate and quantize:endless")
    open_page(app)
    next(button for button in app.button if button.label == "Calibrate on this stack").click().run()
    (job,) = session(app).optimizations
    wait_until(lambda: any("measuring activations" in step.detail for step in job.steps), "the worker's progress")
    app.run()
    (table,) = [element.proto.body for element in app.get("html") if "<table" in element.proto.body]
    assert all(step.title in table for step in job.steps)
    assert "measuring activations, image 1 of 2" in table
    assert "Calibrate on this stack" not in buttons(app)
    press(app, "Cancel")
    assert job.status == "cancelled"
    assert "The model in use is unchanged" in texts(app)
    assert "Use this model" not in buttons(app)
    assert "Calibrate on this stack" in buttons(app)


def test_a_failure_is_told_and_another_try_offered(app: AppTest, fake_worker: SetAccident) -> None:
    fake_worker("Calibrate and quantize:full")
    open_page(app)
    calibrate(app)
    assert "The disk is full" in app.error[0].value
    assert "Calibrate on this stack" in buttons(app)
    assert "Use this model" not in buttons(app)


def test_a_made_model_can_be_taken_home(app: AppTest, fake_worker: SetAccident, low_gate: None) -> None:
    open_page(app)
    job = calibrate(app)
    assert job.model is not None
    assert "Download this model" in [button.label for button in app.get("download_button")]
    with zipfile.ZipFile(io.BytesIO(pack_model(job.model))) as packed:
        assert len(packed.namelist()) == 5


def test_a_missing_model_is_a_sentence_and_no_crash(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ModelError("The model in starter has no valid card.json; reinstall it.")

    monkeypatch.setattr(get_runtime().models, "get", missing)
    app.switch_page(str(Path(ROUTER).parent / "optimize.py")).run()
    assert not app.exception
    assert "reinstall it" in texts(app)
