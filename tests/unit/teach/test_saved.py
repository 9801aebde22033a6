"""A teaching as a file: it comes back onto the same images, and nothing else does."""

from __future__ import annotations

import json

import pytest

from core.base.errors import AppError, InvalidRequest, LabelsInvalid
from core.engines.registry import engine_names
from core.recognition.results import ClassScore, Prediction
from core.recognition.saved_results import SavedResults
from core.recognition.stack_results import StackResults
from core.stacks.stack import ImageStack
from core.teach.labels import Labels
from core.teach.saved import MAX_BYTES, SavedTeaching, read_saved
from tests.builders import photo_png, zip_bytes
from tests.conftest import MakeStack

FILES = {f"{number}.png": photo_png(seed=number) for number in range(5)}


RUN = {
    "engine": "openvino-int8", "model": "starter", "images": [0], "width": 1, "classes": [0], "millionths": [900_000]
}  # fmt: skip


@pytest.fixture
def stack(make_stack: MakeStack) -> ImageStack:
    return make_stack(FILES)


def saved_of(labels: Labels, stack: ImageStack) -> SavedTeaching:
    return SavedTeaching.of(labels, stack, model="starter", threshold=0.25, current=3, selected=(1, 4))


def labelled(stack: ImageStack) -> Labels:
    labels = Labels(len(stack))
    labels.add_class("nothing yet")
    labels.assign([0, 2], "größe")
    labels.assign([4], "b")
    return labels


def test_it_comes_back_whole_and_can_be_undone(stack: ImageStack, make_stack: MakeStack) -> None:
    labels = labelled(stack)
    data = saved_of(labels, stack).model_dump_json().encode()
    again = make_stack(FILES)
    found = read_saved(data, again)
    restored = Labels(len(again))
    restored.assign([1], "of another day")
    found.restore(restored, again, StackResults())
    assert dict(restored.by_image) == dict(labels.by_image)
    assert set(labels.classes) <= set(restored.classes)
    assert (found.model, found.threshold, found.current, found.selected) == ("starter", 0.25, 3, [1, 4])
    assert restored.undo()
    assert dict(restored.by_image) == {1: "of another day"}


def test_a_file_of_the_first_form_comes_back_without_its_threshold_of_another_scale(stack: ImageStack) -> None:
    old = json.loads(saved_of(labelled(stack), stack).model_dump_json())
    old |= {"format": "aisr-teaching-1", "threshold": -0.3}
    found = read_saved(json.dumps(old).encode(), stack)
    assert (found.threshold, found.current) == (None, 3)
    with pytest.raises(LabelsInvalid):
        read_saved(json.dumps(old | {"format": "aisr-teaching-2"}).encode(), stack)


def test_it_holds_no_image_and_no_id(stack: ImageStack) -> None:
    text = saved_of(labelled(stack), stack).model_dump_json()
    assert stack.id not in text
    assert len(text) < 500


def test_of_another_stack_it_is_refused(stack: ImageStack, make_stack: MakeStack) -> None:
    data = saved_of(labelled(stack), stack).model_dump_json().encode()
    with pytest.raises(InvalidRequest, match="another ZIP"):
        read_saved(data, make_stack({"0.png": photo_png()}))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "aisr-teaching-3"},
        {"labels": [0, 1, 9]},
        {"labels": [0]},
        {"images": [-1, 2, 4]},
        {"images": ["0", 2, 4]},
        {"classes": ["x" * 300, "b", "c"]},
        {"classes": [str(number) for number in range(1000)]},
        {"images": [0, 2, 99]},
        {"classes": ["=1+1", "b", "c"]},
        {"more": 1},
        {"results": {"labels": ["cat"], "runs": [RUN | {"images": [5]}]}},
        {"results": {"labels": ["cat"], "runs": [RUN | {"classes": [1]}]}},
        {"results": {"labels": ["cat"], "runs": [RUN | {"classes": [0, 0]}]}},
        {"results": {"labels": ["cat"], "runs": [RUN | {"millionths": [1_000_001]}]}},
        {"results": {"labels": ["cat"], "runs": [RUN | {"width": 6, "classes": [0] * 6, "millionths": [0] * 6}]}},
        {"results": {"labels": ["cat"], "runs": [RUN | {"width": 0, "classes": [], "millionths": []}]}},
        {"results": {"labels": ["cat"], "runs": [RUN | {"errors": ["broken"]}]}},
        {"results": {"labels": ["cat"], "runs": [RUN | {"engine": "abacus"}]}},
        {"results": {"labels": ["=1+1"], "runs": [RUN]}},
        {"results": {"labels": [" "], "runs": [RUN]}},
        {"results": {"labels": ["cat"], "runs": [RUN] * 1000}},
    ],
    ids=lambda change: str(change)[:90],
)
def test_what_was_changed_by_hand_is_one_sentence_and_changes_nothing(stack: ImageStack, change: dict) -> None:
    labels = labelled(stack)
    before = dict(labels.by_image)
    results = StackResults()
    data = json.dumps(json.loads(saved_of(labels, stack).model_dump_json()) | change).encode()
    with pytest.raises(AppError) as error:
        read_saved(data, stack).restore(labels, stack, results)
    assert len(str(error.value)) < 300
    assert dict(labels.by_image) == before
    assert results.version == 0


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"\xff\xfe", b"{" * 10_000, b" " * (MAX_BYTES + 1), zip_bytes(FILES)],
    ids=["empty", "list", "no text", "deep", "long", "ZIP"],
)
def test_other_files_are_refused(stack: ImageStack, data: bytes) -> None:
    with pytest.raises(AppError):
        read_saved(data, stack)


def answer(index: int, engine: str = "openvino-int8", *, broken: bool = False) -> Prediction:
    top = () if broken else (ClassScore("größe", 0.9312456), ClassScore("b", 0.05))
    return Prediction(index, f"{index}.png", top, engine, "starter", "It is damaged." if broken else None)


def test_results_come_back_whole_beside_those_that_are_there(stack: ImageStack, make_stack: MakeStack) -> None:
    results = StackResults()
    results.add([answer(0), answer(2, broken=True), answer(4), answer(0, "pytorch-fp32")])
    saved = SavedTeaching.of(
        Labels(5), stack, model="starter", threshold=None, current=0, selected=(), in_use="mine",
        engine="openvino-fp32", results=results,
    )  # fmt: skip
    again = make_stack(FILES)
    found = read_saved(saved.to_bytes(), again)
    assert (found.in_use, found.engine) == ("mine", "openvino-fp32")
    there = StackResults()
    there.add([answer(1)])
    found.restore(Labels(5), again, there)
    by_image = there.by_image()
    assert sorted(by_image) == [0, 1, 2, 4]
    assert [one.engine for one in by_image[0]] == ["openvino-int8", "pytorch-fp32"]
    assert by_image[2] == (answer(2, broken=True),)
    first, second = by_image[4][0].top
    assert (first.label, round(first.confidence, 6), second.label) == ("größe", 0.931246, "b")
    assert by_image[4][0].filename == "4.png"


def test_a_file_of_before_results_were_kept_still_opens(stack: ImageStack) -> None:
    fields = json.loads(saved_of(labelled(stack), stack).model_dump_json())
    for name in ("results", "in_use", "engine"):
        del fields[name]
    assert read_saved(json.dumps(fields).encode(), stack).results.runs == []


def test_results_that_no_file_can_hold_are_left_out_and_the_labels_are_not(stack: ImageStack) -> None:
    saved = saved_of(labelled(stack), stack)
    huge = SavedResults(labels=["x" * 200] * (MAX_BYTES // 200))
    data = saved.model_copy(update={"results": huge}).to_bytes()
    assert read_saved(data, stack) == saved


def test_answers_of_20000_images_fit_into_the_file() -> None:
    top = tuple(ClassScore(f"class {number}", 0.123456) for number in range(5))
    found = SavedResults.of(
        Prediction(index, "", top, engine, "imagenet") for engine in engine_names() for index in range(20_000)
    )
    assert len(found.model_dump_json()) < MAX_BYTES - 500_000


def test_whose_range_of_values_answers_were_made_by_comes_back_with_them() -> None:
    top = (ClassScore("a", 0.5),)
    given = [
        Prediction(0, "0.png", top, "openvino-int8", "starter", value_range="stack"),
        Prediction(1, "1.png", top, "openvino-int8", "starter"),
        Prediction(2, "2.png", top, "openvino-int8", "starter", value_range="stack"),
    ]
    saved = SavedResults.model_validate_json(SavedResults.of(given).model_dump_json())
    found = {one.index: one.value_range for one in saved.predictions(["0.png", "1.png", "2.png"])}
    assert found == {0: "stack", 1: None, 2: "stack"}
