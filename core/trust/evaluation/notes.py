"""What a person must know beside the figures: labels that say nothing, images that are too few."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.trust.evaluation.answers import Judged
from core.trust.evaluation.known import KnownClasses, Match, some

FEW_IMAGES = 100  # judged; below, no figure's interval is narrower than some 10 points
FEW_OF_A_CLASS = 10
NAMES_KEPT = 1000  # of one note, in files

Code = Literal[
    "labels_match_no_class",
    "labels_taken_as_classes",
    "classes_without_images",
    "one_class_only",
    "images_without_label",
    "labels_of_unknown_files",
    "lines_without_class",
    "images_unreadable",
    "few_images",
    "few_images_of_classes",
]
# Where something that was said could not be judged; the others say how to read the figures.
LEFT_OUT: frozenset[Code] = frozenset({"labels_match_no_class", "labels_of_unknown_files", "images_unreadable"})


class Note(BaseModel):
    """One thing to know."""

    model_config = ConfigDict(frozen=True)

    code: Code = Field(description="stable, for programs")
    text: str = Field(description="sentences for people")
    count: int = Field(description="how many images, lines or classes it is about")
    names: tuple[str, ...] = Field((), description="of labels, classes or files; at most 1,000")

    @property
    def left_out(self) -> bool:
        """Whether something that has a label was not judged."""
        return self.code in LEFT_OUT


def of_labels(known: KnownClasses, stack: int) -> list[Note]:
    """About the labels alone, for a stack of so many images."""
    notes = []
    if bare := stack - len(known.by_image):
        notes.append(
            Note(code="images_without_label", text=f"{_images(bare)} without a label: not judged.", count=bare)
        )
    if known.unknown:
        names = known.unknown_names
        name = "names" if known.unknown == 1 else "name"
        text = f"{_lines(known.unknown)} of the labels file {name} files that are not in the stack: {some(names)}."
        if known.unknown > len(names):
            text = text[:-1] + ", among others."
        notes.append(Note(code="labels_of_unknown_files", text=text, count=known.unknown, names=names))
    if known.without_class:
        name = "names" if known.without_class == 1 else "name"
        text = f"{_lines(known.without_class)} of the labels file {name} no class."
        notes.append(Note(code="lines_without_class", text=text, count=known.without_class))
    return notes


def of_match(found: Match) -> list[Note]:
    """About labels beside a model's classes."""
    notes = []
    if found.foreign:
        count = sum(group.images for group in found.foreign)
        labels = [group.label for group in found.foreign]
        told = some([f"{group.label} ({group.images:,})" for group in found.foreign])
        it, are = "it" if len(labels) == 1 else "them", "is" if count == 1 else "are"
        text = f"{_labels(len(labels))} no class of the model, so {_images(count)} with {it} {are} not judged: {told}."
        notes.append(Note(code="labels_match_no_class", text=text, count=count, names=_kept(labels)))
    if found.alike:
        told = some([f"{group.label} = {group.name}" for group in found.alike])
        text = f"Taken for the same class, though written otherwise: {told}."
        count = sum(group.images for group in found.alike)
        notes.append(
            Note(
                code="labels_taken_as_classes", text=text, count=count, names=_kept([one.label for one in found.alike])
            )
        )
    there = len(found.classes) - len(found.absent)
    if there == 1:
        (name,) = (found.classes[place] for place in set(found.truth.values()))
        text = (
            f"All images that are judged show one class, {some([name])}: the figures say how often it is recognised, "
            "and nothing of what else would be taken for it."
        )
        notes.append(Note(code="one_class_only", text=text, count=1, names=_kept([name])))
    if found.absent:
        count = len(found.absent)
        subject = f"{count:,} of {len(found.classes):,} classes {'has' if count == 1 else 'have'} no image"
        text = f"{subject}: {some(found.absent)}. The figures say nothing of how they are recognised."
        notes.append(Note(code="classes_without_images", text=text, count=count, names=_kept(found.absent)))
    return notes


def of_judged(judged: Judged, classes: tuple[str, ...], names: tuple[str, ...]) -> list[Note]:
    """About how many images there are to judge by; ``names`` are all files of the stack."""
    notes = []
    if judged.unreadable:
        files = [names[index] for index in judged.unreadable]
        are = "is" if len(files) == 1 else "are"
        text = f"{_images(len(files))} with a label cannot be read, and {are} not judged: {some(files)}."
        notes.append(Note(code="images_unreadable", text=text, count=len(files), names=_kept(files)))
    if len(judged.images) < FEW_IMAGES:
        count = len(judged.images)
        text = f"Only {_images(count)} to judge by: the intervals are wide, and a few other images could change much."
        notes.append(Note(code="few_images", text=text, count=count))
    counts = Counter(judged.truth.tolist())
    if few := [classes[place] for place, count in sorted(counts.items()) if count < FEW_OF_A_CLASS]:
        text = f"Fewer than {FEW_OF_A_CLASS} images of {some(few)}: what is said of each alone is rough."
        notes.append(Note(code="few_images_of_classes", text=text, count=len(few), names=_kept(few)))
    return notes


def _kept(names: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(names[:NAMES_KEPT])


def _images(count: int) -> str:
    return f"{count:,} image" if count == 1 else f"{count:,} images"


def _lines(count: int) -> str:
    return f"{count:,} line" if count == 1 else f"{count:,} lines"


def _labels(count: int) -> str:
    return "1 label is" if count == 1 else f"{count:,} labels are"
