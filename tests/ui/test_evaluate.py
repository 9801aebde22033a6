"""The Evaluate page as a script. What is clicked in tables is in tests/e2e."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.runtime import get_runtime
from tests.builders import BROKEN_PNGS, photo_png, zip_bytes
from tests.helpers import wait_until
from tests.ui.app import ROUTER, run, session

# Coloured noise in folders of classes: the starter is wrong about most of it, and it is all one to this page.
FILES = {f"{name}/{seed}.png": photo_png(seed=seed) for name in ("French_horn", "tench") for seed in range(4)}
MORE = {
    "zebra/1.png": photo_png(seed=9),
    "bare.png": photo_png(seed=8),
    "tench/x.png": BROKEN_PNGS["wrong checksum of IDAT"],
}


@pytest.fixture
def evaluate(app: AppTest) -> AppTest:
    """The page with a stack of folders."""
    return opened(app, FILES | MORE)


def opened(app: AppTest, files: dict[str, bytes]) -> AppTest:
    session(app).open(BytesIO(zip_bytes(files)), "folders.zip")
    return run(app.switch_page(str(Path(ROUTER).parent / "evaluate.py")))


def press(app: AppTest, text: str) -> AppTest:
    next(button for button in app.button if button.label.startswith(text)).click()
    run(app)
    wait_until(lambda: not session(app).evaluating, "the evaluation to end")
    return run(app)


def texts(app: AppTest) -> str:
    kinds = (app.markdown, app.info, app.caption, app.success, app.warning, app.error)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "").replace("\u2060", "")


def test_without_a_stack_it_says_what_it_is_for_and_the_way(app: AppTest) -> None:
    run(app.switch_page(str(Path(ROUTER).parent / "evaluate.py")))
    assert "How often is it right?" in texts(app)
    assert "Open one on the Viewer page" in texts(app)
    assert not app.button


def test_folders_are_judged_and_what_is_not_is_said(evaluate: AppTest) -> None:
    assert not evaluate.metric
    press(evaluate, "Evaluate")
    (metric,) = [one for one in evaluate.metric if "images" in one.label]
    assert metric.label == "OpenVINO INT8 · 8 images"
    assert metric.value.endswith("% right")
    assert " to " in metric.delta
    said = texts(evaluate)
    for sentence in (
        "1 image without a label: not judged.",
        "1 label is no class of the model, so 1 image with it is not judged: zebra (1).",
        "French_horn = French horn",
        "10 of 12 classes have no image",
        "1 image with a label cannot be read, and is not judged: tench/x.png.",
        "Only 8 images to judge by",
        "Calibration error 0.",
    ):
        assert sentence in said
    assert "greement" not in said
    titles = ["Confusion", "Classes", "Confidence", "Worst images", "None of these"]
    assert [tab.label for tab in evaluate.tabs] == titles
    assert "of 1 whose label is none of the classes" in said, "zebra is not judged, but foreign"


@pytest.mark.torch
def test_two_engines_are_compared_and_nothing_is_recognised_twice(evaluate: AppTest) -> None:
    press(evaluate, "Evaluate")
    stack = session(evaluate).stack
    assert stack is not None
    results = get_runtime().recognition.results(stack)
    version = results.version
    press(evaluate, "Evaluate")
    assert results.version == version
    engines = next(one for one in evaluate.multiselect if one.label == "Engines")
    engines.set_value(["openvino-int8", "pytorch-fp32"])
    press(evaluate, "Evaluate")
    assert results.of("pytorch-fp32")
    assert [tab.label for tab in evaluate.tabs][-1] == "Comparison"
    assert "says nothing about who is right" in texts(evaluate)
    assert [one.label for one in evaluate.metric][-4:] == [
        *("Both right", "Only OpenVINO INT8", "Only PyTorch FP32", "Both wrong")
    ]


def test_labels_that_fit_nothing_and_labels_that_are_not_there_are_one_sentence_each(app: AppTest) -> None:
    opened(app, {"a/1.png": photo_png(seed=1), "b/1.png": photo_png(seed=2)})
    press(app, "Evaluate")
    assert "No label is a class of the model Starter: 12 everyday classes. Labels: a, b." in texts(app)
    assert not app.metric
    next(one for one in app.radio if one.label == "Classes are known from").set_value("labels")
    press(app, "Evaluate")
    assert "No image of this stack has a label" in texts(app)
    next(one for one in app.radio if one.label == "Classes are known from").set_value("csv")
    press(run(app), "Evaluate")
    assert "The labels file names no image of this stack" in texts(app)
    assert session(app).evaluation is None


def test_labels_made_on_the_teach_page_are_taken(evaluate: AppTest) -> None:
    stack = session(evaluate).stack
    assert stack is not None
    get_runtime().teaching.labels(stack).assign([0, 1], "tench")
    next(one for one in evaluate.radio if one.label == "Classes are known from").set_value("labels")
    press(run(evaluate), "Evaluate")
    (metric,) = [one for one in evaluate.metric if "images" in one.label]
    assert metric.label == "OpenVINO INT8 · 2 images"
    assert "show one class, tench" in texts(evaluate)


def test_no_model_or_engine_is_said(evaluate: AppTest) -> None:
    next(one for one in evaluate.multiselect if one.label == "Engines").set_value([])
    press(evaluate, "Evaluate")
    assert "Evaluate one to 6 models and engines together" in texts(evaluate)
    assert session(evaluate).evaluation is None


def test_the_result_goes_with_its_stack(evaluate: AppTest) -> None:
    press(evaluate, "Evaluate")
    assert evaluate.metric
    session(evaluate).open(BytesIO(zip_bytes(FILES)), "others.zip")
    run(evaluate)
    assert not evaluate.metric
    assert session(evaluate).evaluation is None
