"""The Review page as a script: what differs comes first, steps, marks and their tally."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.recognition.results import ClassScore, Prediction
from core.runtime import get_runtime
from pages._ui.shell.session import Session
from tests.helpers import SECONDS
from tests.ui.test_pages import page_text, session, stack_of, upload

ROUTER = str(Path(__file__).parents[2] / "pages" / "_router.py")


@pytest.fixture
def app() -> Iterator[AppTest]:
    yield AppTest.from_file(ROUTER, default_timeout=SECONDS).run()
    for stack_id in get_runtime().store.ids:
        get_runtime().store.delete(stack_id)


def answers(owner: Session, index: int, first: str, second: str, confidence: float) -> None:
    assert owner.stack is not None
    results = get_runtime().recognition.results(owner.stack)
    for engine, label in (("openvino-int8", first), ("pytorch-fp32", second)):
        results.add([Prediction(index, "x.png", (ClassScore(label, confidence),), engine, "starter")])


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


def test_engines_that_agree_leave_nothing_to_review(app: AppTest) -> None:
    upload(app, stack_of(1))
    answers(session(app), 0, "cat", "cat", 0.9)
    app.switch_page("review.py").run()
    assert "agree on every image" in app.success[0].value
