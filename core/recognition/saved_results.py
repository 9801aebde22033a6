"""Answers of a stack as part of a file, and back: by columns, small for thousands of images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from core.base.errors import LabelsInvalid
from core.engines.registry import engine_names
from core.images.pixels import RangeOf
from core.models.labels import clean_label
from core.recognition.results import TOP_K, ClassScore, Prediction

MILLION = 1_000_000
MAX_RUNS = 64
_Text = Annotated[str, StringConstraints(max_length=200)]
_Sentence = Annotated[str, StringConstraints(max_length=500)]
_Number = Annotated[int, Field(ge=0)]
_Confidence = Annotated[int, Field(ge=0, le=MILLION)]


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SavedRun(_Saved):
    """What one engine of one model said of images, the same number of classes of each."""

    engine: _Text
    model: _Text
    images: list[_Number] = Field(description="positions")
    width: int = Field(ge=0, le=TOP_K, description="classes of each image, best first; 0 of images that cannot be read")
    classes: list[_Number] = Field(description="of each image `width` places in the list of all labels")
    millionths: list[_Confidence] = Field(description="of each of them, its confidence times a million")
    errors: list[_Sentence] = Field([], description="of each image where `width` is 0")
    value_range: RangeOf | None = Field(None, description="whose range of values the images were scaled by")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        count = len(self.images) * self.width
        if len(self.classes) != count or len(self.millionths) != count:
            raise ValueError("images and classes do not fit each other")
        if len(self.errors) != (0 if self.width else len(self.images)):
            raise ValueError("images and errors do not fit each other")
        return self


class SavedResults(_Saved):
    """Answers of any number of engines."""

    labels: list[_Text] = []
    runs: list[SavedRun] = Field([], max_length=MAX_RUNS)

    @classmethod
    def of(cls, predictions: Iterable[Prediction]) -> Self:
        """What these say; confidences to a millionth."""

        def kind(one: Prediction) -> tuple[str, str, int, str]:
            return one.engine, one.model, len(one.top), one.value_range or ""

        found = sorted(predictions, key=lambda one: (*kind(one), one.index))
        places: dict[str, int] = {}
        runs = []
        for (engine, model, width, _), group in groupby(found, kind):
            own = list(group)
            scores = [score for one in own for score in one.top]
            runs.append(
                SavedRun(
                    engine=engine,
                    model=model,
                    images=[one.index for one in own],
                    width=width,
                    classes=[places.setdefault(score.label, len(places)) for score in scores],
                    millionths=[round(score.confidence * MILLION) for score in scores],
                    errors=[] if width else [(one.error or "")[:500] for one in own],
                    value_range=own[0].value_range,
                )
            )
        return cls(labels=list(places), runs=runs)

    def predictions(self, names: Sequence[str]) -> list[Prediction]:
        """They for a stack of files with these names.

        Raises:
            LabelsInvalid: they do not fit it, name no engine of ours, or hold labels that no model may have.
        """
        labels = [clean_label(label, "A class of the results") for label in self.labels]
        found: list[Prediction] = []
        for run in self.runs:
            if run.engine not in engine_names():
                raise LabelsInvalid("The saved results are of an engine that is not here. Nothing was changed.")
            if max(run.images, default=-1) >= len(names) or max(run.classes, default=-1) >= len(labels):
                raise LabelsInvalid("The saved results do not fit these images. Nothing was changed.")
            scores = [
                ClassScore(labels[place], part / MILLION)
                for place, part in zip(run.classes, run.millionths, strict=True)
            ]
            errors: Sequence[str | None] = run.errors or [None] * len(run.images)
            for place, (index, error) in enumerate(zip(run.images, errors, strict=True)):
                top = tuple(scores[place * run.width : (place + 1) * run.width])
                made = Prediction(index, names[index], top, run.engine, run.model, error, value_range=run.value_range)
                found.append(made)
        return found
