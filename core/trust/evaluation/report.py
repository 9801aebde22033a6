"""An evaluation for people and programs: what the API answers, the command writes, and the page shows."""

from __future__ import annotations

import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from core.base.version import VERSION
from core.trust.evaluation import confidence, figures, known_scores
from core.trust.evaluation.answers import Judged
from core.trust.evaluation.evaluation import Evaluation, Pairing, Run
from core.trust.evaluation.known import Source
from core.trust.evaluation.notes import Note
from core.trust.share import ShareRight

WORST_TOLD = 100
FLIPS_TOLD = 100
_DIGITS = 6


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


class Value(_Frozen):
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float


class ClassReport(_Frozen):
    """One class; a share of no images is 0 with the interval 0 to 1."""

    name: str
    recall: ShareRight = Field(description="of the images that show it, those that were called so")
    precision: ShareRight = Field(description="of the images that were called so, those that show it")
    f1: Value


class Confused(_Frozen):
    """How many images of one class were called another."""

    known: str
    named: str
    images: int


class BinReport(_Frozen):
    """Answers with a confidence from `low` up to `high`, and their mean confidence."""

    low: float
    high: float
    confidence: float
    right: ShareRight


class CoverageReport(_Frozen):
    """What answering only with at least this confidence would bring."""

    threshold: float
    answered: ShareRight
    right: ShareRight

    @classmethod
    def of(cls, found: confidence.Coverage) -> Self:
        """The same, for a file."""
        return cls(
            threshold=round(found.threshold, _DIGITS),
            answered=ShareRight.of(found.answered),
            right=ShareRight.of(found.right),
        )


class WrongImage(_Frozen):
    """An image that was called something else than it shows; `rank` is the known class's place among the five best."""

    position: int = Field(description="in the stack, from 0")
    file: str
    known: str
    named: str
    confidence: float
    rank: int = Field(description="from 2; 0 where the known class is not among the five best")


class PassingReport(_Frozen):
    """The images whose known score is at least `threshold`."""

    threshold: float
    known: ShareRight = Field(description="of the images that show a class")
    foreign: ShareRight = Field(description="of those whose label is no class; a share of no images is 0")


class KnownReport(_Frozen):
    """How well images that show one of the classes are told from those whose label is none."""

    images: int = Field(description="that show a class, and have a known score")
    foreign: int = Field(description="whose label is no class of the model, and have one")
    area: Value | None = Field(description="under the ROC curve, 0..1; null without foreign images")
    passing: tuple[PassingReport, ...] = Field(description="at the thresholds 0, 0.01, ... 1")


class RunReport(_Frozen):
    """One model by one engine; shares and confidences 0..1."""

    label: str = Field(description="names it among the others, for people")
    model: str
    title: str = Field(description="of the model, for people")
    engine: str
    images: int = Field(description="that were judged")
    top1: ShareRight
    top5: ShareRight | None = Field(description="null of a model that knows no more than five classes")
    classes: tuple[ClassReport, ...] = Field(description="those that an image shows or was called")
    confusion: tuple[Confused, ...] = Field(description="what was taken for another, the most frequent first")
    mean_confidence: float
    calibration_error: Value = Field(description="expected calibration error, 15 bins of equal width")
    calibration_error_by_chance: float = Field(
        description="calibrated answers show at most this error 97.5 times of 100 on as many images"
    )
    reliability: tuple[BinReport, ...] = Field(description="the bins that hold answers")
    coverage: tuple[CoverageReport, ...] = Field(description="at round thresholds")
    coverage_curve: tuple[CoverageReport, ...] = Field(description="at up to 200 confidences that occur, ascending")
    known: KnownReport | None = Field(default=None, description="null of a model that cannot tell")
    worst: tuple[WrongImage, ...] = Field(description="at most 100, the surest first")
    notes: tuple[Note, ...]


class FlipReport(_Frozen):
    """Images of one class that two runs call differently."""

    known: str
    first: str
    second: str
    images: int


class ComparisonReport(_Frozen):
    """Two runs, by their labels, over the images that both were judged on."""

    first: str
    second: str
    images: int
    both_right: int
    first_only: int = Field(description="images that only the first is right about")
    second_only: int
    both_wrong: int
    agreement: ShareRight = Field(description="images that both call the same, which says nothing about who is right")
    difference: Value = Field(description="share right of the second less that of the first, -1..1")
    p_value: float = Field(description="of McNemar's test, exact, two-sided")
    flips: tuple[FlipReport, ...] = Field(description="at most 100, the most frequent first")


class EvaluationReport(_Frozen):
    """What was evaluated, and what came of it."""

    created: str = Field(description="ISO 8601, UTC")
    version: str
    stack: str
    labels: Source
    images: int = Field(description="in the stack")
    labelled: int = Field(description="images with a label")
    notes: tuple[Note, ...] = Field(description="what to know beside the figures; of all runs")
    runs: tuple[RunReport, ...]
    comparisons: tuple[ComparisonReport, ...]

    @classmethod
    def of(cls, found: Evaluation) -> Self:
        """``found``, with a time stamp."""
        return cls(
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            version=VERSION,
            stack=found.stack,
            labels=found.known.source,
            images=len(found.names),
            labelled=len(found.known.by_image),
            notes=found.notes,
            runs=tuple(_run(run, found.names) for run in found.runs),
            comparisons=tuple(_comparison(pairing, found) for pairing in found.pairings),
        )


def _run(run: Run, names: tuple[str, ...]) -> RunReport:
    judged, classes = run.judged, run.classes
    found = confidence.reliability(judged)
    top_5 = figures.top_5(judged, len(classes))
    return RunReport(
        label=run.label,
        model=run.model,
        title=run.title,
        engine=run.engine,
        images=len(judged.images),
        top1=ShareRight.of(figures.top_1(judged)),
        top5=None if top_5 is None else ShareRight.of(top_5),
        classes=tuple(
            ClassReport(
                name=classes[one.place],
                recall=ShareRight.of(one.recall),
                precision=ShareRight.of(one.precision),
                f1=_value(one.f1, one.f1_low, one.f1_high),
            )
            for one in figures.per_class(judged)
        ),
        confusion=tuple(
            Confused(known=classes[pair.truth], named=classes[pair.said], images=len(pair.images))
            for pair in figures.pairs(judged)
        ),
        mean_confidence=round(found.confidence, _DIGITS),
        calibration_error=_value(found.error, found.error_low, found.error_high),
        calibration_error_by_chance=round(found.by_chance, 4),
        reliability=tuple(
            BinReport(
                low=round(one.low, 4),
                high=round(one.high, 4),
                confidence=round(one.confidence, _DIGITS),
                right=ShareRight.of(one.right),
            )
            for one in found.bins
        ),
        coverage=tuple(map(CoverageReport.of, confidence.at(judged))),
        coverage_curve=tuple(map(CoverageReport.of, confidence.curve(judged))),
        known=_known(judged),
        worst=tuple(wrong_image(run, row, names) for row in figures.worst(judged)[:WORST_TOLD].tolist()),
        notes=run.notes,
    )


def _known(judged: Judged) -> KnownReport | None:
    if not known_scores.can_tell(judged):
        return None
    found = known_scores.area(judged)
    return KnownReport(
        images=len(judged.known_scores),
        foreign=len(judged.foreign_scores),
        area=None if found is None else _value(found.value, found.low, found.high),
        passing=tuple(
            PassingReport(threshold=one.threshold, known=ShareRight.of(one.known), foreign=ShareRight.of(one.foreign))
            for one in known_scores.passing(judged)
        ),
    )


def wrong_image(run: Run, row: int, names: tuple[str, ...]) -> WrongImage:
    """One row of a run's answers."""
    judged, classes = run.judged, run.classes
    index = int(judged.images[row])
    return WrongImage(
        position=index,
        file=names[index],
        known=classes[judged.truth[row]],
        named=classes[judged.said[row]],
        confidence=round(float(judged.confidence[row]), _DIGITS),
        rank=int(judged.rank[row]),
    )


def _comparison(pairing: Pairing, evaluation: Evaluation) -> ComparisonReport:
    found = pairing.found
    return ComparisonReport(
        first=evaluation.runs[pairing.first].label,
        second=evaluation.runs[pairing.second].label,
        images=found.images,
        both_right=found.both_right,
        first_only=len(found.first_only),
        second_only=len(found.second_only),
        both_wrong=found.both_wrong,
        agreement=ShareRight.of(found.same),
        difference=_value(found.difference, found.low, found.high),
        p_value=found.p_value,
        flips=tuple(
            FlipReport(known=one.truth, first=one.first, second=one.second, images=len(one.images))
            for one in found.flips[:FLIPS_TOLD]
        ),
    )


def _value(value: float, low: float, high: float) -> Value:
    return Value(value=round(value, 4), low=round(low, 4), high=round(high, 4))
