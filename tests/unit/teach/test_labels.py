"""Labels by hand: every change is whole, can be undone, and a refused one changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import LabelsInvalid
from core.teach.labels import MAX_CHANGES, MAX_CLASSES, Labels

State = tuple[tuple[str, ...], dict[int, str]]


def state(labels: Labels) -> State:
    return labels.classes, dict(labels.by_image)


def test_classes_come_with_their_first_image_and_stay_without() -> None:
    labels = Labels(10)
    labels.add_class(" scratches ")
    labels.assign([3, 1], "inclusion")
    labels.assign([1], "scratches")
    labels.assign([3], None)
    assert state(labels) == (("scratches", "inclusion"), {1: "scratches"})
    assert labels.counts == {"scratches": 1, "inclusion": 0}


def test_renaming_and_removing_take_the_images_along() -> None:
    labels = Labels(4)
    labels.assign_each({0: "a", 1: "b", 2: "a"})
    labels.rename_class("a", "c")
    assert state(labels) == (("c", "b"), {0: "c", 1: "b", 2: "c"})
    labels.remove_class("c")
    assert state(labels) == (("b",), {1: "b"})
    labels.undo()
    labels.undo()
    assert state(labels) == (("a", "b"), {0: "a", 1: "b", 2: "a"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda labels: labels.assign([0, 4], "a"), "There is no image 4; the stack has images 0 to 3"),
        (lambda labels: labels.assign([-1], None), "There is no image -1"),
        (lambda labels: labels.assign([0], "  "), "The name of a class is empty"),
        (lambda labels: labels.assign([0], "=cmd|'/c calc'!A1"), "reads like a formula"),
        (lambda labels: labels.add_class("a\u202egnp"), "cannot be shown"),
        (lambda labels: labels.add_class("x" * 201), "has 201 characters"),
        (lambda labels: labels.rename_class("a", "b"), "There is a class 'b' already"),
        (lambda labels: labels.rename_class("z", "y"), "There is no class 'z'"),
        (lambda labels: labels.remove_class("z"), "There is no class 'z'"),
        (lambda labels: labels.assign_each({0: "b", 1: "@x"}), "reads like a formula"),
    ],
)
def test_what_is_refused_changes_nothing(change, message: str) -> None:
    labels = Labels(4)
    labels.assign_each({0: "a", 1: "b"})
    before, version = state(labels), labels.version
    with pytest.raises(LabelsInvalid, match=message.replace("(", r"\(")):
        change(labels)
    assert (state(labels), labels.version, labels.can_redo) == (before, version, False)


def test_there_are_only_so_many_classes_and_changes_to_undo() -> None:
    labels = Labels(1)
    for number in range(MAX_CLASSES):
        labels.add_class(f"class {number}")
    with pytest.raises(LabelsInvalid, match=f"at most {MAX_CLASSES}"):
        labels.add_class("one more")
    for number in range(MAX_CHANGES + 50):
        labels.assign([0], f"class {number % 2}")
    undone = 0
    while labels.undo():
        undone += 1
    assert undone == MAX_CHANGES


def test_doing_something_new_forgets_what_was_undone_and_nothing_is_no_change() -> None:
    labels = Labels(2)
    assert not labels.undo()
    assert not labels.redo()
    labels.assign([0], "a")
    version = labels.version
    labels.assign([0], "a")
    assert labels.version == version
    labels.undo()
    labels.assign([1], "b")
    assert not labels.redo()
    assert state(labels) == (("b",), {1: "b"})


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("assign"), st.dictionaries(st.integers(0, 5), st.sampled_from(["a", "b", "c", None]))),
        st.tuples(st.just("rename"), st.tuples(st.sampled_from("abc"), st.sampled_from("abcd"))),
        st.tuples(st.just("remove"), st.sampled_from("abc")),
        st.tuples(st.just("add"), st.sampled_from("abcd")),
    ),
    max_size=12,
)


@given(STEPS)
def test_undoing_all_and_doing_it_again_passes_every_state_there_was(steps: list) -> None:
    labels = Labels(6)
    states = [state(labels)]
    for kind, value in steps:
        version = labels.version
        try:
            if kind == "assign":
                labels.assign_each(value)
            elif kind == "rename":
                labels.rename_class(*value)
            elif kind == "remove":
                labels.remove_class(value)
            else:
                labels.add_class(value)
        except LabelsInvalid:
            assert state(labels) == states[-1]
        if labels.version != version:
            states.append(state(labels))
    for expected in reversed(states[:-1]):
        assert labels.undo()
        assert state(labels) == expected
    for expected in states[1:]:
        assert labels.redo()
        assert state(labels) == expected
    assert not labels.redo()
