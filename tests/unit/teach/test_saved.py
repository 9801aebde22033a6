"""A teaching as a file: it comes back onto the same images, and nothing else does."""

from __future__ import annotations

import json

import pytest

from core.base.errors import AppError, InvalidRequest, LabelsInvalid
from core.stacks.stack import ImageStack
from core.teach.labels import Labels
from core.teach.saved import MAX_BYTES, SavedTeaching, read_saved
from tests.builders import photo_png, zip_bytes
from tests.conftest import MakeStack

FILES = {f"{number}.png": photo_png(seed=number) for number in range(5)}


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
    found.restore(restored)
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
    ],
    ids=lambda change: str(change)[:40],
)
def test_what_was_changed_by_hand_is_one_sentence_and_changes_nothing(stack: ImageStack, change: dict) -> None:
    labels = labelled(stack)
    before = dict(labels.by_image)
    data = json.dumps(json.loads(saved_of(labels, stack).model_dump_json()) | change).encode()
    with pytest.raises(AppError) as error:
        read_saved(data, stack).restore(labels)
    assert len(str(error.value)) < 300
    assert dict(labels.by_image) == before


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"\xff\xfe", b"{" * 10_000, b" " * (MAX_BYTES + 1), zip_bytes(FILES)],
    ids=["empty", "list", "no text", "deep", "long", "ZIP"],
)
def test_other_files_are_refused(stack: ImageStack, data: bytes) -> None:
    with pytest.raises(AppError):
        read_saved(data, stack)
