"""Which class each image shows, as somebody says, and which of a model's classes that is."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.base.errors import LabelsInvalid
from core.trust import label_files

Source = Literal["folders", "csv", "labels"]
SOURCE_TITLES: dict[Source, str] = {
    "folders": "names of folders",
    "csv": "a CSV",
    "labels": "labels made in the app",
}
_SHOWN = 60  # characters of a label in a sentence
_TOLD = 10  # names in a sentence


@dataclass(frozen=True, slots=True)
class KnownClasses:
    """The label of each image that has one, by position, as it was given.

    Attributes:
        source: where the labels are from.
        unknown: how many lines of a CSV name files that are not in the stack; ``unknown_names`` are the first of these.
        without_class: lines of a CSV that name no class.
    """

    by_image: Mapping[int, str]
    source: Source
    unknown: int = 0
    unknown_names: tuple[str, ...] = ()
    without_class: int = 0


@dataclass(frozen=True, slots=True)
class LabelGroup:
    """All images of one label; ``name`` is the class it was taken for, or empty."""

    label: str
    images: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """Labels beside a model's classes.

    Attributes:
        classes: the model's, each name once.
        truth: place in ``classes`` of each image whose label is one of them, by position, ascending.
        alike: labels that are written otherwise than the class they were taken for.
        foreign: labels that are no class of the model, the most frequent first.
        absent: classes that no image has.
        strangers: positions of the images whose label is no class of the model, ascending.
    """

    classes: tuple[str, ...]
    truth: Mapping[int, int]
    alike: tuple[LabelGroup, ...]
    foreign: tuple[LabelGroup, ...]
    absent: tuple[str, ...]
    strangers: tuple[int, ...] = ()


def known_from_folders(names: Sequence[str]) -> KnownClasses:
    """The name of the folder that each image lies in.

    Raises:
        LabelsInvalid: no image lies in a folder.
    """
    return KnownClasses(label_files.folder_names(names), "folders")


def known_from_csv(data: bytes, names: Sequence[str]) -> KnownClasses:
    """Lines of file name and class; see ``core.trust.label_files.from_csv``, also for what it raises."""
    found = label_files.from_csv(data, names)
    return KnownClasses(found.by_image, "csv", found.unknown, found.unknown_names, found.without_class)


def match(known: KnownClasses, classes: Sequence[str], model: str) -> Match:
    """Find the class that each label means.

    A label is the class of the same name; or else the only one that differs in case, or in ``_`` for a blank alone.
    ``model`` is what to call the model in a message.

    Raises:
        LabelsInvalid: no label is a class of the model.
    """
    classes = tuple(dict.fromkeys(classes))
    counts = Counter(known.by_image.values())
    exact = {name: place for place, name in enumerate(classes)}
    loose: defaultdict[str, list[int]] = defaultdict(list)
    for name, place in exact.items():
        loose[_loosely(name)].append(place)
    places: dict[str, int] = {}
    for label in counts:
        near = loose[_loosely(label)]
        if (same := unicodedata.normalize("NFC", label)) in exact:
            places[label] = exact[same]
        elif len(near) == 1:
            places[label] = near[0]
    truth = {index: places[label] for index, label in sorted(known.by_image.items()) if label in places}
    foreign = tuple(LabelGroup(label, count) for label, count in counts.most_common() if label not in places)
    if not truth:
        raise LabelsInvalid(_nothing_fits(foreign, classes, model))
    there = set(truth.values())
    return Match(
        classes=classes,
        truth=truth,
        alike=tuple(
            LabelGroup(label, count, classes[places[label]])
            for label, count in counts.most_common()
            if label in places and label != classes[places[label]]
        ),
        foreign=foreign,
        absent=tuple(name for place, name in enumerate(classes) if place not in there),
        strangers=tuple(sorted(index for index, label in known.by_image.items() if label not in places)),
    )


def some(names: Sequence[str], told: int = _TOLD) -> str:
    """The first of ``names``, each cut off where it is long, and how many more there are."""
    shown = ", ".join(name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…" for name in names[:told])
    return shown + (f" and {len(names) - told:,} more" if len(names) > told else "")


def _loosely(name: str) -> str:
    return re.sub(r"[\s_]+", " ", unicodedata.normalize("NFC", name)).strip().casefold()


def _nothing_fits(foreign: Sequence[LabelGroup], classes: Sequence[str], model: str) -> str:
    if not foreign:
        return "No image of this stack has a label; label some, or say where their classes stand."
    labels = some([group.label for group in foreign])
    return f"No label is a class of the model {model}. Labels: {labels}. Its classes: {some(classes)}."
