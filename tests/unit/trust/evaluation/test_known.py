"""Labels beside a model's classes: matched where that is safe, and everything else said with counts and names."""

from __future__ import annotations

import pytest

from core.base.errors import LabelsInvalid
from core.trust.evaluation.known import KnownClasses, LabelGroup, known_from_csv, known_from_folders, match, some
from core.trust.evaluation.notes import Note, of_judged, of_labels, of_match
from tests.unit.trust.evaluation.judgements import judged

CLASSES = ("French horn", "cat", "Cat", "T-shirt", "40 dB")


def known(*labels: str) -> KnownClasses:
    return KnownClasses(dict(enumerate(labels)), "folders")


@pytest.mark.parametrize(
    ("label", "place"),
    [
        ("French horn", 0),
        ("French_horn", 0),
        ("FRENCH  HORN", 0),
        ("french_horn ", 0),
        ("cat", 1),
        ("Cat", 2),
        ("t-shirt", 3),
        # Not safe: two classes come into question, or the sign may mean something.
        ("CAT", None),
        ("T shirt", None),
        ("-40 dB", None),
        ("French horns", None),
        ("", None),
    ],
)
def test_a_label_is_a_class_where_only_one_can_be_meant(label: str, place: int | None) -> None:
    found = match(known("cat", label), CLASSES, "m")
    assert found.truth.get(1) == place
    assert [group.label for group in found.foreign] == ([label] if place is None else [])
    written_otherwise = place is not None and label != CLASSES[place]
    assert [(one.label, one.name) for one in found.alike] == (
        [(label, CLASSES[place or 0])] if written_otherwise else []
    )


def test_composed_and_decomposed_letters_are_one_name() -> None:
    assert match(known("Gro\u0308ße"), ("Größe",), "m").truth == {0: 0}


def test_what_fits_nothing_is_grouped_the_most_frequent_first_and_absent_classes_are_named() -> None:
    found = match(known("x", "cat", "y", "y"), CLASSES, "m")
    assert found.foreign == (LabelGroup("y", 2), LabelGroup("x", 1))
    assert found.absent == ("French horn", "Cat", "T-shirt", "40 dB")


def test_a_class_that_a_model_has_twice_is_one() -> None:
    assert match(known("crane", "cat"), ("crane", "cat", "crane"), "m").classes == ("crane", "cat")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([f"kind {number}" for number in range(500)], "No label is a class of the model m. Labels: kind 0, .* more"),
        ([], "No image of this stack has a label"),
    ],
)
def test_where_nothing_fits_one_bounded_sentence_says_so(labels: list[str], message: str) -> None:
    with pytest.raises(LabelsInvalid, match=message) as caught:
        match(known(*labels), [f"class {number}" * 30 for number in range(1000)], "m")
    assert len(str(caught.value)) < 1500


def test_folders_of_any_name_are_labels_and_images_outside_have_none() -> None:
    names = ("set/=HYPERLINK(1)/1.png", "3.png", "<b>x/2.png")
    assert known_from_folders(names).by_image == {0: "=HYPERLINK(1)", 2: "<b>x"}
    with pytest.raises(LabelsInvalid, match="lies in a folder"):
        known_from_folders(["1.png"])


def codes(notes: list[Note]) -> dict[str, Note]:
    return {note.code: note for note in notes}


def test_what_labels_leave_out_is_said_with_counts_and_names() -> None:
    names = ("a/1.png", "a/2.png", "b/3.png")
    found = known_from_csv(b"1.png,cat\n9.png,cat\n8.png,dog\n2.png,\n", names)
    notes = codes(of_labels(found, len(names)))
    assert set(notes) == {"images_without_label", "labels_of_unknown_files", "lines_without_class"}
    assert notes["images_without_label"].count == 2
    assert (notes["labels_of_unknown_files"].count, notes["labels_of_unknown_files"].names) == (2, ("9.png", "8.png"))
    assert "9.png, 8.png" in notes["labels_of_unknown_files"].text
    assert notes["lines_without_class"].count == 1
    assert of_labels(KnownClasses({0: "a"}, "folders"), 1) == [], "nothing is said of nothing"


def test_what_a_match_leaves_out_is_said_with_counts_and_names() -> None:
    notes = codes(of_match(match(known("French_horn", "French_horn", "zebra", "zebra", "yak"), CLASSES, "m")))
    assert set(notes) == {
        *("labels_match_no_class", "labels_taken_as_classes", "one_class_only", "classes_without_images"),
    }
    assert notes["labels_match_no_class"].count == 3
    assert "zebra (2), yak (1)" in notes["labels_match_no_class"].text
    assert notes["labels_match_no_class"].left_out
    assert "French_horn = French horn" in notes["labels_taken_as_classes"].text
    assert "show one class, French horn" in notes["one_class_only"].text
    assert notes["classes_without_images"].count == 4
    assert not of_match(match(known(*CLASSES), CLASSES, "m"))


def test_a_thousand_names_stay_a_sentence() -> None:
    labels = [f"=cmd|{number}" * 20 for number in range(3000)]
    (note,) = of_match(match(known("cat", "dog", *labels), ("cat", "dog"), "m"))
    assert note.count == 3000
    assert len(note.names) == 1000
    assert len(note.text) < 1500
    assert "and 2,990 more" in note.text
    assert some(["x" * 200]) == "x" * 59 + "…"


def test_few_images_and_unreadable_ones_are_said() -> None:
    names = tuple(f"{number}.png" for number in range(200))
    few = codes(of_judged(judged([0] * 20 + [1] * 3, [0] * 23), ("cat", "dog"), names))
    assert few["few_images"].count == 23
    assert few["few_images_of_classes"].names == ("dog",)
    many = judged([0] * 60 + [1] * 60, [0] * 120)
    assert of_judged(many, ("cat", "dog"), names) == []
