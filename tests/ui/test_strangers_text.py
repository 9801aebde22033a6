"""Every page with strangers' text in it: whatever Streamlit reads as Markdown holds it escaped."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from streamlit.testing.v1 import AppTest

from core.models.card import CARD_NAME
from core.models.model import Model
from core.runtime import get_runtime
from core.trust.evaluation.evaluation import Subject
from core.trust.evaluation.job import EvaluationPlan
from core.trust.evaluation.known import KnownClasses
from pages._ui.benchmark.state import Benchmarks
from tests.builders import photo_png, zip_bytes
from tests.helpers import SECONDS, wait_until
from tests.strangers_text import ONE_TEXT
from tests.ui.test_pages import ROUTER, run, session
from tests.unit.benchmark.benchmark_reports import make_report

# Shown as they are, not as Markdown, and what is no text at all.
PLAIN_ELEMENTS = {"arrow_data_frame", "bidi_component", "code", "component_instance", "html", "imgs", "vega_lite_chart"}
PLAIN_FIELDS = {
    "id",
    "elementId",
    "default",
    "options",
    "rawValue",
    "rawValues",
    "setValue",
    "formId",
    "url",
    "fileName",
}
MARKS = ("stranger.example", "](", "$x", ":red[", ":material/home:", "<b>", "![")


@pytest.fixture
def strangers_model(tmp_path: Path) -> Model:
    """The starter under another name, with other classes."""
    starter = get_runtime().models.get("starter")
    folder = tmp_path / "own"
    shutil.copytree(starter.folder, folder)
    card = json.loads((folder / CARD_NAME).read_text(encoding="utf-8"))
    card |= {"title": ONE_TEXT, "architecture": ONE_TEXT, "quantization": {ONE_TEXT: ONE_TEXT}}
    card["classes"] = [f"{place} {ONE_TEXT}" for place in range(len(card["classes"]))]
    (folder / CARD_NAME).write_text(json.dumps(card), encoding="utf-8")
    return Model(folder, tmp_path / "cache")


@pytest.fixture
def app(strangers_model: Model) -> Iterator[AppTest]:
    app = AppTest.from_file(ROUTER, default_timeout=SECONDS).run()
    own = session(app)
    names = [f"{number} {ONE_TEXT}.png".replace("//", "-") for number in range(20)]
    own.open(BytesIO(zip_bytes({name: photo_png(seed=place) for place, name in enumerate(names)})), f"{ONE_TEXT}.zip")
    own.chosen_model = strangers_model
    own.own_models.append(strangers_model)
    report = make_report().model_copy(update={"model": ONE_TEXT, "stack": ONE_TEXT})
    own.benchmarks = Benchmarks(reports=[report], shown=0)
    yield app
    own.close()


def strings(message: Any) -> Iterator[str]:
    if isinstance(message, str):
        yield message
    for key, value in message.items() if isinstance(message, dict) else enumerate(message) if message else ():
        if key not in PLAIN_FIELDS and not isinstance(message, str):
            yield from strings(value) if isinstance(value, str | list | dict) else ()


def markdown(app: AppTest) -> str:
    """All texts of the page that Streamlit reads as Markdown."""
    assert not app.exception
    found = [
        text
        for node in (*app.main, *app.sidebar)
        if node.type not in PLAIN_ELEMENTS and node.proto is not None
        for text in strings(MessageToDict(node.proto))
    ]
    return "\n".join(found)


def labelled(app: AppTest) -> None:
    """Two classes of strangers' names, judged, and what went wrong with a third."""
    live = session(app).live
    assert live is not None
    live.labels.assign(range(4), ONE_TEXT)
    live.labels.assign(range(4, 8), f"2 {ONE_TEXT}")
    live.refresh()
    wait_until(lambda: not live.pending, "all to be learned")
    session(app).teach_error = ONE_TEXT


def evaluated(app: AppTest) -> None:
    """Two engines judged on two classes of strangers' names and a label that is none, and one run that failed."""
    own = session(app)
    assert own.stack is not None
    assert own.chosen_model is not None
    classes = own.chosen_model.card.classes
    known = KnownClasses({0: classes[0], 1: classes[1], 2: f"no class {ONE_TEXT}"}, "labels")
    subjects = tuple(Subject(own.chosen_model, engine) for engine in ("openvino-int8", "pytorch-fp32"))
    own.evaluation = get_runtime().evaluation.evaluate(EvaluationPlan(own.stack, known, subjects))
    own.evaluation.wait(SECONDS)
    own.evaluation_error = ONE_TEXT
    own.evaluation_cell = (ONE_TEXT, ONE_TEXT, (0, 1))


@pytest.mark.torch  # the optimize page asks for the FP32 model's facts
@pytest.mark.parametrize("page", ["viewer", "inference", "review", "teach", "evaluate", "optimize", "benchmark"])
def test_markdown_holds_it_escaped(app: AppTest, page: str) -> None:
    app.run()
    run(app, "Image 1")
    app.switch_page(f"{page}.py").run()
    session(app).upload_error = ONE_TEXT if page == "viewer" else ""
    if page == "teach":
        labelled(app)
    if page == "evaluate":
        evaluated(app)
    app.run()
    text = markdown(app)
    assert text.count("stranger\\.example") >= 3, "the page draws it at all"
    without_escapes = re.sub(r"\\.", "", text.replace("[api/docs](", ""))
    assert not [mark for mark in MARKS if mark in without_escapes]
