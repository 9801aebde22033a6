"""The latest answers of a stack."""

from __future__ import annotations

from dataclasses import replace

from core.engines.engine import EngineName
from core.recognition.results import ClassScore, Prediction
from core.recognition.stack_results import StackResults, differs


def answer(index: int, label: str, engine: EngineName = "openvino-int8") -> Prediction:
    return Prediction(index, f"{index}.png", (ClassScore(label, 0.9),), engine, "starter")


def test_nothing_yet() -> None:
    results = StackResults()
    assert (results.engines, results.version, results.by_image(), results.at(0)) == ((), 0, {}, ())
    assert dict(results.of("openvino-int8")) == {}


def test_a_new_answer_replaces_the_same_engines_older_one_only() -> None:
    results = StackResults()
    results.add([answer(3, "cat"), answer(1, "dog")])
    results.add([answer(3, "dog", "pytorch-fp32")])
    results.add([answer(3, "church")])
    assert [one.label for one in results.at(3)] == ["church", "dog"]
    assert [one.label for one in results.at(1)] == ["dog"]
    assert list(results.by_image()) == [1, 3]
    assert results.engines == ("openvino-int8", "pytorch-fp32")


def test_every_addition_changes_the_version_and_no_snapshot() -> None:
    results = StackResults()
    results.add([answer(0, "cat")])
    before, version = results.of("openvino-int8"), results.version
    results.add([answer(1, "cat")])
    assert results.version > version
    assert list(before) == [0]


def test_a_threshold_holds_for_all_answers_and_can_be_given_back() -> None:
    results = StackResults()
    results.add([replace(answer(0, "cat"), known_score=0.2), answer(1, "dog")])
    assert [one.known for one in results.of("openvino-int8").values()] == [True, None]
    results.threshold = 0.3
    assert [one.known for one in results.of("openvino-int8").values()] == [False, None]
    assert [one.known for (one,) in results.by_image().values()] == [False, None]
    assert [one.known for one in results.at(0)] == [False]
    version = results.version
    results.threshold = 0.3
    assert results.version == version, "nothing has changed"
    results.threshold = None
    assert [one.known for one in results.at(0)] == [True]
    assert results.version > version


def test_a_flip_is_two_names_for_one_image() -> None:
    assert differs([answer(0, "cat"), answer(0, "dog", "pytorch-fp32")])
    assert not differs([answer(0, "cat"), answer(0, "cat", "pytorch-fp32")])
    assert not differs([answer(0, "cat")])


def test_answers_of_a_model_are_told_from_those_of_another_with_its_name() -> None:
    results = StackResults()
    results.add([answer(0, "cat"), answer(1, "cat")], "one")
    results.add([answer(1, "dog"), answer(2, "dog")], "other")
    results.add([answer(3, "cat")])
    assert [(found.index, found.label) for found in results.by_model("openvino-int8", "one")] == [(0, "cat")]
    assert [found.index for found in results.by_model("openvino-int8", "other")] == [1, 2]
    assert results.by_model("pytorch-fp32", "one") == []
