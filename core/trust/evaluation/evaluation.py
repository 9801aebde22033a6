"""An evaluation: runs over labelled images, each judged, and each pair compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from core.base.errors import ImageError
from core.engines.engine import EngineName
from core.engines.registry import engine_label
from core.models.model import Model
from core.trust.evaluation.answers import Judged
from core.trust.evaluation.compare import Comparison, compare_runs
from core.trust.evaluation.known import KnownClasses, Match
from core.trust.evaluation.notes import Note, of_judged, of_labels, of_match


@dataclass(frozen=True, slots=True)
class Subject:
    """What is evaluated: a model, run by one engine."""

    model: Model
    engine: EngineName


@dataclass(frozen=True, slots=True)
class Run:
    """A subject's answers beside the known classes. It does not keep the model itself.

    Attributes:
        model, title: of the model, for programs and for people.
        label: names it among the others of its evaluation.
        match: labels beside the model's classes.
        judged: at least one answer.
        notes: what to know of this run alone.
    """

    model: str
    title: str
    engine: EngineName
    label: str
    match: Match
    judged: Judged
    notes: tuple[Note, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The model's classes, each name once; places are places in it."""
        return self.match.classes


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two runs, by their places, and how they compare."""

    first: int
    second: int
    found: Comparison


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that is found. ``names`` are the files of the stack; ``notes`` those about all runs alike."""

    stack: str
    names: tuple[str, ...]
    known: KnownClasses
    runs: tuple[Run, ...]
    pairings: tuple[Pairing, ...]
    notes: tuple[Note, ...]

    @property
    def left_out(self) -> bool:
        """Whether something that has a label was not judged."""
        return any(note.left_out for note in (*self.notes, *(note for run in self.runs for note in run.notes)))


def evaluate(
    stack: str, names: tuple[str, ...], known: KnownClasses, judged: Sequence[tuple[Subject, Match, Judged]]
) -> Evaluation:
    """Put together what was found.

    Raises:
        ImageError: no labelled image could be read.
    """
    labels = run_labels([subject for subject, _, _ in judged])
    runs = []
    for label, (subject, found, answers) in zip(labels, judged, strict=True):
        if not len(answers.images):
            raise ImageError("None of the images with a label can be read; open each of them in the viewer to see why.")
        notes = (*of_match(found), *of_judged(answers, found.classes, names))
        card = subject.model.card
        runs.append(Run(card.name, card.title, subject.engine, label, found, answers, notes))
    shared = [note for note in runs[0].notes if all(note in run.notes for run in runs)]
    runs = [replace(run, notes=tuple(note for note in run.notes if note not in shared)) for run in runs]
    pairings = []
    for first, second in combinations(range(len(runs)), 2):
        one, other = runs[first], runs[second]
        if (comparison := compare_runs(one.judged, one.classes, other.judged, other.classes)) is not None:
            pairings.append(Pairing(first, second, comparison))
    return Evaluation(stack, names, known, tuple(runs), tuple(pairings), (*of_labels(known, len(names)), *shared))


def run_labels(subjects: Sequence[Subject]) -> list[str]:
    """A name for each that tells it from the others: the engine's, the model's where there are several, or both."""
    engines = {subject.engine for subject in subjects}
    models = {subject.model.folder for subject in subjects}
    titles = [subject.model.card.title for subject in subjects]
    labels = [
        engine_label(subject.engine)
        if len(models) == 1
        else title
        if len(engines) == 1
        else f"{title} · {engine_label(subject.engine)}"
        for subject, title in zip(subjects, titles, strict=True)
    ]
    return [f"{label} ({place})" if labels.count(label) > 1 else label for place, label in enumerate(labels, 1)]
