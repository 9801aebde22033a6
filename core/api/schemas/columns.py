"""Images of a stack and their answers as the pages' components read them: thousands of them, by columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, Field

from core.engines.registry import engine_label
from core.images.formats.format import ImageHeader
from core.images.pixels import RangeOf, is_scaled
from core.recognition.results import TOP_K, Prediction
from core.recognition.stack_results import StackResults
from core.stacks.sources.names import in_natural_order
from core.stacks.stack import ImageStack


class DisplayWindow(BaseModel):
    """Values shown black and white."""

    low: float
    high: float


class PixelKind(BaseModel):
    """A kind of image: what its samples are, and how its file wants them to be shown."""

    bit_depth: int
    colour: str = Field(description="such as `grey` or `RGB`")
    highest: int | float = Field(description="255, 65535 where the file has 16 bits, or what another type can have")
    description: str = Field(description="for people, such as `16-bit grey`")
    windows: list[DisplayWindow] = Field(
        default_factory=list, description="as the file offers them; it is shown in the first"
    )
    inverted: bool = Field(False, description="whether the file's low values are white")
    unit: str = Field("", description="of the values, such as `HU`; empty where the file does not say")
    range: DisplayWindow | None = Field(None, description="of the whole stack, where such images are scaled by it")


class ImageColumns(BaseModel):
    """A stack's images column by column, each as long as the stack: small, and fast to read, for thousands of them."""

    names: list[str]
    widths: list[int] = Field(description="pixels")
    heights: list[int] = Field(description="pixels")
    file_sizes: list[int] = Field(description="bytes of the file that the image is in, of which it may be one frame")
    kinds: list[PixelKind] = Field(description="the kinds of image that occur")
    kind: list[int] = Field(description="of each image, its place in `kinds`")
    name_ranks: list[int] | None = Field(
        None, description="place of each image in the natural order of names; null where the stack stands in it"
    )

    @classmethod
    def of(cls, stack: ImageStack, range_of: RangeOf = "image") -> Self:
        """The images of ``stack``. Most sources of stacks sort by name, and give no ranks.

        Raises:
            RangeUnknown: that of the stack is asked for, and not known yet.
        """
        headers = [entry.header for entry in stack.entries]
        keys = [(header.description, header.windows, header.inverted, header.unit) for header in headers]
        found = dict(zip(keys, headers, strict=True))
        place = {key: number for number, key in enumerate(found)}
        return cls(
            names=[entry.name for entry in stack.entries],
            widths=[header.width for header in headers],
            heights=[header.height for header in headers],
            file_sizes=[entry.file_size for entry in stack.entries],
            kinds=[
                PixelKind(
                    bit_depth=header.bit_depth,
                    colour=header.color,
                    highest=header.highest_sample,
                    description=header.description,
                    windows=[DisplayWindow(low=low, high=high) for low, high in header.windows],
                    inverted=header.inverted,
                    unit=header.unit,
                    range=_range_of(stack, header) if range_of == "stack" and is_scaled(header) else None,
                )
                for header in found.values()
            ],
            kind=[place[key] for key in keys],
            name_ranks=None if stack.in_name_order else _ranks([entry.name for entry in stack.entries]),
        )


def _ranks(names: list[str]) -> list[int]:
    """The place of each name in the natural order."""
    ranks = [0] * len(names)
    for rank, index in enumerate(in_natural_order(names)):
        ranks[index] = rank
    return ranks


def _range_of(stack: ImageStack, header: ImageHeader) -> DisplayWindow:
    low, high = stack.range.of(header.dtype)
    return DisplayWindow(low=low, high=high)


class AnswerRun(BaseModel):
    """What one engine with one model has answered; the columns are equally long."""

    engine: str = Field(description="its title")
    engine_name: str = Field(description="as requests name it")
    model: str
    images: list[int] = Field(description="positions in the stack")
    classes: list[int] = Field(description="of each image, the place of its first class in `labels`")
    confidences: list[float] = Field(description="softmax probability of that class, 0..1")
    calibrated: bool = Field(description="whether confidences say how often such answers are right")
    known_scores: list[float] | None = Field(
        description="share of known images that are less like those the model was taught on, 0..1; or null"
    )
    threshold: float = Field(description="of `known_scores`, below which an image shows none of the classes")


class AnswerColumns(BaseModel):
    """What has been recognised in a stack, column by column. The engine of the first run leads in captions."""

    labels: list[str] = Field(description="the classes that occur")
    runs: list[AnswerRun]

    @classmethod
    def of(cls, results: StackResults) -> Self:
        """The first class of every readable image in ``results``."""
        labels: dict[str, int] = {}
        runs: dict[tuple[str, str], AnswerRun] = {}
        for engine in results.engines:
            title = engine_label(engine)
            for index, prediction in results.of(engine).items():
                if prediction.error is not None:
                    continue
                key = (title, prediction.model)
                run = runs.get(key)
                if run is None:
                    run = runs[key] = AnswerRun(
                        engine=title,
                        engine_name=engine,
                        model=key[1],
                        images=[],
                        classes=[],
                        confidences=[],
                        calibrated=prediction.calibrated,
                        known_scores=None if prediction.known_score is None else [],
                        threshold=prediction.threshold,
                    )
                run.images.append(index)
                run.classes.append(labels.setdefault(prediction.label, len(labels)))
                run.confidences.append(prediction.confidence)
                if run.known_scores is not None:
                    run.known_scores.append(prediction.known_score or 0.0)
        return cls(labels=list(labels), runs=list(runs.values()))


class TopAnswer(BaseModel):
    """What one engine says of an image, the most probable class first; none, and ``error``, where it cannot be read."""

    engine: str = Field(description="its title")
    engine_name: str = Field(description="as requests name it")
    model: str
    classes: list[str] = Field(description=f"the {TOP_K} best at most")
    confidences: list[float] = Field(description="softmax probability of each, 0..1")
    calibrated: bool = Field(description="whether confidences say how often such answers are right")
    known: bool | None = Field(description="whether the image shows one of the classes; null where nobody can tell")
    known_score: float | None = Field(
        description="share of known images that are less like those the model was taught on, 0..1; or null"
    )
    error: str | None = Field(description="why there is no answer, as a sentence")


class ImageAnswers(BaseModel):
    """The latest answer of each engine for one image; none where nothing has been recognised."""

    answers: list[TopAnswer]

    @classmethod
    def of(cls, predictions: Iterable[Prediction]) -> Self:
        """In the order of ``predictions``."""
        return cls(
            answers=[
                TopAnswer(
                    engine=engine_label(one.engine),
                    engine_name=one.engine,
                    model=one.model,
                    classes=[score.label for score in one.top],
                    confidences=[score.confidence for score in one.top],
                    calibrated=one.calibrated,
                    known=one.known,
                    known_score=one.known_score,
                    error=one.error,
                )
                for one in predictions
            ]
        )
