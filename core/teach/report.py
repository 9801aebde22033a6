"""What a teaching has come to, for people and programs: the report that commands write and the API answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from core.teach.evaluate import CrossValidation
from core.trust.share import ShareRight

MISTAKES_TOLD = 100


class LikelyMistake(BaseModel):
    """An image whose label the others contradict."""

    model_config = ConfigDict(frozen=True)

    file: str
    given: str
    likely: str
    lead: float = Field(description="by which the likely class is more probable, 0..1")


class CurveStep(BaseModel):
    """Share right with so many examples a class."""

    model_config = ConfigDict(frozen=True)

    examples_per_class: float
    accuracy: ShareRight


class CrossValidationReport(BaseModel):
    """What cross-validation found: each image judged by a head that has not seen it."""

    model_config = ConfigDict(frozen=True)

    accuracy: ShareRight
    per_class: dict[str, ShareRight]
    confusion: tuple[tuple[int, ...], ...]
    learning_curve: tuple[CurveStep, ...]
    helps_most: str
    likely_mistakes: tuple[LikelyMistake, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, found: CrossValidation, files: Sequence[str]) -> Self:
        """``files`` are the names of the examples, in their order."""
        return cls(
            accuracy=ShareRight.of(found.accuracy),
            per_class={name: ShareRight.of(share) for name, share in zip(found.classes, found.per_class, strict=True)},
            confusion=tuple(tuple(map(int, row)) for row in found.confusion),
            learning_curve=tuple(
                CurveStep(examples_per_class=point.examples_per_class, accuracy=ShareRight.of(point.share))
                for point in found.curve
            ),
            helps_most=found.helps_most,
            likely_mistakes=tuple(
                LikelyMistake(file=files[one.row], given=one.given, likely=one.likely, lead=round(one.lead, 4))
                for one in found.mistakes[:MISTAKES_TOLD]
                if one.row < len(files)
            ),
            notes=found.notes,
        )


class TeachingReport(BaseModel):
    """What was taught, how good it is, and what it took; shares 0..1, times in seconds."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model: str
    backbone: str
    classes: tuple[str, ...]
    images_labelled: int
    examples: dict[str, int] = Field(description="labelled images of each class")
    images_held_out: int = Field(0, description="labelled images that nothing was learnt from")
    accuracy_cross_validated: ShareRight
    accuracy_held_out: float | None = Field(
        None, description="of INT8 on the images held out; null where there are none"
    )
    seconds_features: float
    seconds_fit: float
    agreement_int8_fp32: float = Field(description="share of images to which INT8 and FP32 give the same class")
    confusion: tuple[tuple[int, ...], ...] = Field(description="cross-validated: given class by named class")
    per_class: dict[str, ShareRight]
    learning_curve: tuple[CurveStep, ...]
    helps_most: str = Field(description="the class of which more examples would help most")
    likely_mistakes: tuple[LikelyMistake, ...]
    notes: tuple[str, ...]
    train_longer: str = Field("", description="what training longer did; empty where nobody asked for it")
