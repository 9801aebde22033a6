"""What is to be recognised, and what was."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from core.api.schemas.fields import AT_LEAST_ONE, Count, EngineChoice, Number, Position, Text
from core.engines.registry import default_engine
from core.images.pixels import RangeOf
from core.recognition.results import TOP_K, Prediction


class PredictRequest(BaseModel):
    """Which images of which stack."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"filenames": ["frame_1.png"], "batch_size": 8}],
            "required": ["filenames"],
        }
    )

    filenames: list[Text] = Field(default_factory=list, json_schema_extra=AT_LEAST_ONE)
    batch_size: Count | None = Field(None, description="images per inference call; measured when left out")
    stack_id: Text | None = Field(None, description="left out, the stack of the client's cookie is meant")


class PredictAnswer(BaseModel):
    """One image's answer; ``class`` is ``"error"`` where there is none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "filename": "frame_1.png",
                    "class": "cat",
                    "confidence": 0.83,
                    "calibrated": True,
                    "known": True,
                    "known_score": 0.17,
                }
            ]
        }
    )

    filename: str
    label: str = Field(serialization_alias="class")
    confidence: float = Field(description="softmax probability, 0..1")
    calibrated: bool | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="whether confidences say how often such answers are right",
    )
    known: bool | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="whether the image shows one of the classes; left out where the model cannot tell",
    )
    known_score: float | None = Field(
        None,
        exclude_if=lambda value: value is None,
        description="share of known images that are less like those the model was taught on, 0..1",
    )
    error: str | None = Field(None, exclude_if=lambda value: value is None)


class StackAnswers(BaseModel):
    """What has been recognised in a stack: position -> [class, confidence, engine, model] of each engine that ran."""

    results: dict[int, list[tuple[str, float, str, str]]]


class RecognitionRequest(BaseModel):
    """What to recognise, and how. Everything may be left out: then all images, with the default engine and model."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"images": [0, 1, 2], "engine": default_engine().name, "top_k": 3}]},
        extra="forbid",
    )

    images: Annotated[list[Position], Field(json_schema_extra=AT_LEAST_ONE)] | None = Field(
        None, description="positions in the stack, from 0; left out, all of them"
    )
    engine: EngineChoice = default_engine().name
    model: Text | None = Field(None, description="name of an installed model; left out, the default one")
    top_k: Number = Field(1, ge=1, le=TOP_K, description="how many classes to answer for each image")
    batch_size: Count | None = Field(None, description="images per inference call; measured when left out")
    value_range: RangeOf | None = Field(
        None,
        description="scale values by the range of each image, or of all images of the stack together; left out, as it "
        "was chosen for the stack, at first by each image. Without effect on images of 8 bits",
    )


class Score(BaseModel):
    """One class and its softmax probability, 0..1."""

    label: str = Field(serialization_alias="class")
    confidence: float


class ImagePrediction(BaseModel):
    """The answer for one image, the most probable class first; none, and ``error``, where it cannot be read."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "index": 0,
                    "filename": "frame_1.png",
                    "top": [{"class": "cat", "confidence": 0.83}],
                    "calibrated": True,
                    "known": True,
                    "known_score": 0.17,
                }
            ]
        }
    )

    index: int
    filename: str
    top: list[Score]
    calibrated: bool = Field(description="whether confidences say how often such answers are right")
    known: bool | None = Field(
        None, description="whether the image shows one of the classes; null where the model cannot tell"
    )
    known_score: float | None = Field(
        None, description="share of known images that are less like those the model was taught on, 0..1; or null"
    )
    value_range: RangeOf | None = Field(
        None, exclude_if=lambda value: value is None, description="whose range of values the image was scaled by"
    )
    error: str | None = Field(None, exclude_if=lambda value: value is None)

    @classmethod
    def of(cls, prediction: Prediction, top_k: int) -> Self:
        """The first ``top_k`` classes of ``prediction``."""
        top = [Score(label=score.label, confidence=score.confidence) for score in prediction.top[:top_k]]
        return cls(
            index=prediction.index,
            filename=prediction.filename,
            top=top,
            calibrated=prediction.calibrated,
            known=prediction.known,
            known_score=prediction.known_score,
            value_range=prediction.value_range,
            error=prediction.error,
        )


class StreamFailure(BaseModel):
    """The last line of a stream that ended early."""

    code: str
    detail: str


class RecognitionAnswer(BaseModel):
    """The predictions in the order asked for, what made them, and how long it took."""

    model_config = ConfigDict(protected_namespaces=())

    stack_id: str
    model: str
    engine: EngineChoice
    precision: str = Field(description="the precision the engine really computes in")
    batch_size: int
    seconds: float
    predictions: list[ImagePrediction]
