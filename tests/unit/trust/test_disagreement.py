"""Disagreement: what is looked at first, and what a person says of it."""

from __future__ import annotations

import gc
import weakref

import pytest

from core.recognition.results import ClassScore, Prediction
from core.recognition.stack_results import StackResults
from core.trust.agreement import wilson_interval
from core.trust.disagreement import Flip, Marks, Reviews, flips
from tests.builders import photo_png
from tests.conftest import MakeStack

INT8, FP32 = "openvino-int8", "pytorch-fp32"


def answer(index: int, engine: str, label: str, confidence: float, second: float = 0.0) -> Prediction:
    top = (ClassScore(label, confidence), ClassScore("other", second))
    return Prediction(index, f"{index}.png", top, engine, "starter")


def results() -> StackResults:
    found = StackResults()
    found.add(
        [
            *(answer(0, INT8, "cat", 0.5, 0.25), answer(0, FP32, "dog", 0.9, 0.05)),  # INT8 hardly decided
            *(answer(1, INT8, "cat", 0.9, 0.05), answer(1, FP32, "dog", 0.8, 0.1)),  # both are sure
            *(answer(2, INT8, "cat", 0.9, 0.05), answer(2, FP32, "cat", 0.4, 0.1)),  # they agree
            *(answer(3, INT8, "cat", 0.75, 0.5), answer(3, FP32, "dog", 0.95, 0.04)),  # as 0, but one is surer
            answer(4, INT8, "cat", 0.9),  # only one has answered
            Prediction(5, "5.png", (), INT8, "starter", "broken"),
            answer(5, FP32, "dog", 0.9),
        ]
    )
    return found


def test_those_come_first_on_which_both_are_sure() -> None:
    found = flips(results(), INT8, FP32)
    assert [flip.index for flip in found] == [1, 3, 0]
    assert [flip.margin for flip in found] == pytest.approx([0.7, 0.25, 0.25])
    assert found[1].confidence == 0.95


def test_marks_are_counted_with_their_interval_and_can_be_taken_back() -> None:
    found, marks = flips(results(), INT8, FP32), Marks()
    nothing = marks.tally(found)
    assert (nothing.judged, nothing.low, nothing.high) == (0, None, None)
    marks.set(found[0], "first")
    marks.set(found[1], "neither")
    marks.set(found[2], "second")
    said = marks.tally(found)
    assert (said.first, said.second, said.neither, said.judged) == (1, 1, 1, 3)
    assert (said.low, said.high) == wilson_interval(1, 3)
    marks.set(found[1], None)
    assert (marks.of(found[1]), marks.tally(found).judged) == (None, 2)


def test_a_mark_is_about_these_two_classes() -> None:
    marks, flip = Marks(), flips(results(), INT8, FP32)[0]
    marks.set(flip, "first")
    assert marks.of(Flip(flip.first, answer(1, FP32, "church", 0.9))) is None


def test_marks_last_as_long_as_their_stack(make_stack: MakeStack) -> None:
    reviews, stack = Reviews(), make_stack({"1.png": photo_png()})
    marks = weakref.ref(reviews.marks(stack))
    assert reviews.marks(stack) is marks()
    assert reviews.marks(make_stack({"1.png": photo_png()})) is not marks()
    gc.collect()
    assert marks() is not None
