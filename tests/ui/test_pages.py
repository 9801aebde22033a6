"""The pages as scripts: what a session sees before, during and after its work. The browser itself is in tests/e2e."""

from __future__ import annotations

import gc
import json
import shlex
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import cast

import numpy as np
import pytest
from fastapi.testclient import TestClient
from streamlit.testing.v1 import AppTest

from core.api import create_api
from core.recognition.jobs import JobState, RecognitionJob
from core.recognition.service import Order
from core.runtime import get_runtime
from pages._ui.shell.links import stack_links
from pages._ui.shell.session import Session
from pages._ui.viewer.uploader import receive
from tests.builders import encrypted, photo_png, png_bytes, zip_bytes
from tests.helpers import SECONDS, FakeEngine, FakeModel, grey_png, wait_until
from tests.ui.app import ROUTER, session


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    yield AppTest.from_file(ROUTER, default_timeout=SECONDS).run()
    for stack_id in get_runtime().store.ids:
        get_runtime().store.delete(stack_id)


def stack_of(count: int) -> bytes:
    return zip_bytes({f"photos/frame_{number}.png": photo_png(seed=number) for number in range(1, count + 1)})


def upload(app: AppTest, data: bytes, name: str = "photos.zip") -> AppTest:
    """What the browser does: send the ZIP to the API, then tell the session what the API said."""
    runtime = get_runtime()
    api = create_api(runtime.store, runtime.models, runtime.settings, runtime.recognition)
    with TestClient(api) as client:
        response = client.post(
            "/api/v1/stacks", params={"name": name}, content=data, headers={"Content-Type": "application/zip"}
        )
    answer = response.json()
    receive(session(app), {"stack": answer["stack_id"]} if response.status_code == 201 else {"error": answer["detail"]})
    return app.run()


def run(app: AppTest, label: str) -> AppTest:
    """Press a run button and let the recognition finish."""
    next(button for button in app.button if button.label.startswith(label)).click().run()
    job = session(app).job
    assert job is not None
    job.wait(SECONDS)
    return app.run()


def page_text(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption, *app.error, *app.info))


def test_an_empty_page_says_what_to_do(app: AppTest) -> None:
    assert not app.exception
    assert any(button.label == "Try a sample stack" for button in app.button)
    assert not any(button.label.startswith("All") for button in app.button), "nothing to recognise yet"


def test_an_upload_becomes_the_sessions_stack(app: AppTest) -> None:
    upload(app, zip_bytes({"a/frame_1.png": photo_png(), "a/notes.txt": b"text", "a/broken.png": b"not a png"}))
    assert not app.exception
    assert "1 image ·" in page_text(app)
    stack = session(app).stack
    assert stack is not None
    assert {item.name for item in stack.skipped} == {"a/notes.txt", "a/broken.png"}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"plain text", "not a ZIP"),
        (stack_of(2)[:-30], "ends too early"),
        (zip_bytes({"a.png": photo_png()}, edit=encrypted), "password"),
        (zip_bytes({}), "empty"),
        (zip_bytes({"a.png": b"text"}), "no usable image"),
    ],
    ids=["not a zip", "truncated", "encrypted", "empty", "no png"],
)
def test_bad_input_gets_a_sentence_and_keeps_the_open_stack(app: AppTest, data: bytes, sentence: str) -> None:
    upload(app, stack_of(2), "good.zip")
    before = session(app).stack
    upload(app, data, "bad.zip")
    assert not app.exception
    shown = [error.value for error in app.error]
    assert len(shown) == 1
    assert sentence.lower() in shown[0].lower()
    assert "still here" in shown[0]
    assert session(app).stack is before
    assert before is not None
    assert get_runtime().store.get(before.id) is before
    upload(app, stack_of(3), "next.zip")
    assert not app.error, "the sentence must go with the next success"


def test_another_stack_is_shown_and_the_first_one_put_aside(app: AppTest) -> None:
    upload(app, stack_of(2), "one.zip")
    first = session(app).stack
    upload(app, stack_of(3), "two.zip")
    second = session(app).stack
    assert first is not None
    assert second is not None
    assert (len(second), second.name) == (3, "two.zip")
    assert [one.stack for one in session(app).aside] == [first]
    next(button for button in app.button if button.label == "Show").click().run()
    assert session(app).stack is first
    next(button for button in app.button if button.label == "Close").click().run()
    assert first.id not in get_runtime().store.ids
    assert second.id in get_runtime().store.ids


def test_recognising_all_images_with_int8(app: AppTest) -> None:
    upload(app, stack_of(3))
    run(app, "All")
    stack = session(app).stack
    assert stack is not None
    assert get_runtime().recognition.results(stack).engines == ("openvino-int8",)
    assert sorted(get_runtime().recognition.results(stack).of("openvino-int8")) == [0, 1, 2]
    assert "OpenVINO INT8: 3 images in" in page_text(app)
    assert "PyTorch FP32: 3 images" not in page_text(app), "an engine that did not run is not shown"


def test_what_is_on_screen_is_recognised_by_itself_where_a_person_wants_that(app: AppTest) -> None:
    upload(app, stack_of(20))
    stack = session(app).stack
    assert stack is not None
    results = get_runtime().recognition.results(stack)
    assert results.version == 0, "nobody asked for it"
    choice = next(one for one in app.toggle if one.label.startswith("Recognise what is on screen"))
    choice.set_value(True).run()

    def recognised() -> list[int]:
        job = session(app).job
        assert job is not None
        job.wait(SECONDS)
        app.run()
        return sorted(results.of("openvino-int8"))

    assert recognised() == list(range(12))
    session(app).show(3)
    app.run()
    assert recognised() == list(range(12)), "what is there is not made again"
    session(app).show(15)
    app.run()
    assert recognised() == [*range(12), *range(15, 20)]


@pytest.mark.torch
def test_comparing_runs_both_engines_and_says_both_times(app: AppTest) -> None:
    upload(app, stack_of(3))
    next(one for one in app.toggle if one.label.startswith("Compare")).set_value(True).run()
    run(app, "All")
    stack = session(app).stack
    assert stack is not None
    assert get_runtime().recognition.results(stack).engines == ("openvino-int8", "pytorch-fp32")
    app.switch_page("inference.py").run()
    assert [metric.label for metric in app.metric] == [
        "OpenVINO INT8 · 3 images",
        "PyTorch FP32 · 3 images",
        "Speed-up",
        "Same answer",
    ]
    assert "accura" not in " ".join(metric.label + (metric.help or "") for metric in app.metric).lower()


def test_the_threshold_of_none_of_these_is_moved_without_another_run(app: AppTest) -> None:
    upload(app, stack_of(3))
    run(app, "All")
    app.switch_page("inference.py").run()
    stack = session(app).stack
    assert stack is not None
    results = get_runtime().recognition.results(stack)
    before = [one.known_score for one in results.of("openvino-int8").values()]
    assert before == [score for score in before if score is not None]
    slider = next(slider for slider in app.slider if slider.label == "Keep of known images")
    assert slider.value == 95
    slider.set_value(100).run()
    assert not app.exception
    assert "**None of these**: 0 of 3 images" in page_text(app)
    slider = next(slider for slider in app.slider if slider.label == "Keep of known images")
    slider.set_value(50).run()
    unlike = sum(score < 0.5 for score in before if score is not None)
    assert f"**None of these**: {unlike} of 3 images" in page_text(app)
    assert unlike, "noise looks like nothing"
    table = app.dataframe[0].value
    assert table["Confidence, OpenVINO INT8"].isna().sum() == unlike, "the nearest class says nothing"
    assert table["OpenVINO INT8"].str.startswith("none of these").sum() == unlike
    assert [one.known_score for one in results.of("openvino-int8").values()] == before, "nothing ran again"
    assert results.threshold == 0.5
    next(button for button in app.button if button.label == "Automatic").click().run()
    assert results.threshold is None


def test_a_model_that_cannot_tell_says_so(app: AppTest, tmp_path: Path) -> None:
    upload(app, zip_bytes({"1.png": grey_png(10)}))
    session(app).chosen_model = FakeModel(tmp_path / "greys", FakeEngine())
    run(app, "All")
    app.switch_page("inference.py").run()
    assert "Unknown score not available" in page_text(app)
    assert "not calibrated" in page_text(app)
    assert not [slider for slider in app.slider if slider.label == "Keep of known images"]


def test_the_switch_and_a_button_pressed_in_one_go_both_count(app: AppTest) -> None:
    upload(app, stack_of(2))
    next(toggle for toggle in app.toggle if toggle.label.startswith("Compare")).set_value(True)
    run(app, "All")
    stack = session(app).stack
    assert stack is not None
    assert get_runtime().recognition.results(stack).engines == ("openvino-int8", "pytorch-fp32")


def test_two_sessions_do_not_share_anything(app: AppTest) -> None:
    other = AppTest.from_file(ROUTER, default_timeout=SECONDS).run()
    upload(app, stack_of(2))
    other.run()
    assert session(other).stack is None
    upload(other, stack_of(2))
    first, second = session(app).stack, session(other).stack
    assert first is not None
    assert second is not None
    assert first.id != second.id
    run(app, "All")
    assert get_runtime().recognition.results(second).engines == ()


def test_a_stack_goes_with_its_session() -> None:
    session = Session()
    session.open(BytesIO(stack_of(1)), "photos.zip")
    assert session.stack is not None
    stack_id = session.stack.id
    assert stack_id in get_runtime().store.ids
    del session
    gc.collect()
    wait_until(lambda: stack_id not in get_runtime().store.ids, "the stack goes")


def test_a_recognition_ends_with_its_session(tmp_path: Path) -> None:
    engine = FakeEngine(parallelism=1)
    begun, go_on = Event(), Event()

    def hold(_: object) -> None:
        begun.set()
        assert go_on.wait(SECONDS)

    engine.before = hold
    session = Session()
    session.open(BytesIO(stack_of(9)), "photos.zip")
    assert session.stack is not None
    order = Order(session.stack, range(9), FakeModel(tmp_path / "greys", engine), (engine.name,), batch_size=1)
    job = RecognitionJob(order, get_runtime().recognition)
    session.watch(job)
    assert begun.wait(SECONDS)
    del session
    gc.collect()
    wait_until(job.cancelled.is_set, "it is told")
    go_on.set()
    job.wait(SECONDS)
    assert job.status == "cancelled"
    assert job.recognitions == {}


class Ending:
    """A recognition that runs when the page is drawn, and has ended a moment later."""

    def __init__(self) -> None:
        self.asked = 0

    @property
    def state(self) -> JobState:
        self.asked += 1
        return JobState("recognizing" if self.asked <= 4 else "cancelled", "openvino-int8", 0, 1, 0.5)

    def cancel(self) -> None:
        """Nothing is left to cancel."""


def test_what_was_drawn_while_a_recognition_ran_is_drawn_anew_when_it_has_ended(app: AppTest) -> None:
    """The fields for model and engine would stay disabled until somebody does something."""
    upload(app, stack_of(1))
    app.switch_page(str(Path(ROUTER).parent / "inference.py")).run()
    session(app).job = ending = cast("RecognitionJob", Ending())
    app.run()
    assert not app.exception
    assert cast("Ending", ending).asked > 4
    assert not any(field.disabled for field in app.selectbox)


def test_an_expired_stack_is_explained(app: AppTest) -> None:
    upload(app, stack_of(1))
    stack = session(app).stack
    assert stack is not None
    get_runtime().store.delete(stack.id)
    app.run()
    assert not app.exception
    assert session(app).stack is None
    assert "expired" in app.error[0].value
    assert "still here" not in app.error[0].value


def test_the_last_run_can_be_repeated_over_http(app: AppTest) -> None:
    upload(app, stack_of(3))
    run(app, "Image 1")
    app.switch_page("inference.py").run()
    command = next(block.value for block in app.code)
    words = shlex.split(command.replace("\\\n", " "))
    job = session(app).job
    assert job is not None
    assert words[0] == "curl"
    assert words[1].endswith(f"api/v1/stacks/{job.order.stack.id}/predictions")
    body = json.loads(words[words.index("-d") + 1])
    runtime = get_runtime()
    with TestClient(create_api(runtime.store, runtime.models, runtime.settings, runtime.recognition)) as client:
        answer = client.post(f"/api/v1/stacks/{job.order.stack.id}/predictions", json=body)
    assert answer.status_code == 200
    assert [one["index"] for one in answer.json()["predictions"]] == [0], "only what was just run"
    best = job.recognitions["openvino-int8"].predictions[0].top[0]
    assert answer.json()["predictions"][0]["top"][0]["class"] == best.label


def test_deep_images_are_scaled_by_the_stack_where_a_person_wants_that(app: AppTest) -> None:
    ramp = np.arange(64).reshape(8, 8, 1)
    upload(app, zip_bytes({"a.png": png_bytes(ramp * 10, 16), "b.png": png_bytes(ramp * 900, 16)}), "deep.zip")
    stack = session(app).stack
    assert stack is not None
    (choice,) = app.radio
    assert (choice.value, choice.options) == ("image", ["each image", "the whole stack"])
    run(app, "All")
    get_runtime().recognition.results(stack).threshold = 0.3
    by_image = [one.label for one, *_ in get_runtime().recognition.results(stack).by_image().values()]
    assert by_image[0] == by_image[1], "the same picture"
    app.radio[0].set_value("stack").run()
    if (job := session(app).range_job) is not None:
        job.wait(SECONDS)
        app.run()
    assert (app.radio[0].value, stack.range_of) == ("stack", "stack")
    links = stack_links(stack)
    assert links.image_url.endswith("/display?value_range=stack")
    assert links.stack_id != stack.id, "the browser has nothing of it yet"
    assert links.patient_url == "", "nobody has asked for patients to be shown"
    assert get_runtime().recognition.results(stack).threshold == 0.3, "a person's own"
    assert not app.error
    assert get_runtime().recognition.results(stack).engines == (), "answers of the other choice are not its own"
    run(app, "All")
    assert {one.value_range for one, *_ in get_runtime().recognition.results(stack).by_image().values()} == {"stack"}
    app.radio[0].set_value("image").run()
    assert [one.label for one, *_ in get_runtime().recognition.results(stack).by_image().values()] == by_image


def test_without_deep_images_there_is_no_choice(app: AppTest) -> None:
    upload(app, stack_of(1))
    assert not app.radio
