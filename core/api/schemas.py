"""What the API takes and answers, as typed models; their descriptions and examples are its documentation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from core.engines.registry import default_engine, engine_label, engine_names
from core.images.formats.format import ImageHeader
from core.images.pixels import RangeOf, is_scaled
from core.recognition.results import TOP_K, Prediction
from core.recognition.stack_results import StackResults
from core.stacks.stack import ImageStack

# The engines' names as a type: requests are checked against it, and the API's document lists them.
if TYPE_CHECKING:
    EngineChoice = str
else:
    EngineChoice = Literal[engine_names()]


def _is_text(value: str) -> str:
    """Refuse half of a surrogate pair: JSON can say it (``"\\ud800"``), but no answer could repeat it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("this is no valid text") from None
    return value


def _is_no_boolean(value: Any) -> Any:
    """Refuse ``true`` and ``false``, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("this is no number")
    return value


Text = Annotated[str, AfterValidator(_is_text)]
Number = Annotated[int, BeforeValidator(_is_no_boolean)]
Count = Annotated[int, Field(ge=1), BeforeValidator(_is_no_boolean)]
Position = Annotated[Number, Field(json_schema_extra={"minimum": 0})]
AT_LEAST_ONE: dict[str, Any] = {"minItems": 1}  # none is refused with a sentence of its own


class SkippedEntry(BaseModel):
    """A file that came in and is not part of the stack."""

    name: str
    code: str = Field(description="stable, for programs")
    reason: str = Field(description="a sentence for people")


def skipped_entries(stack: ImageStack) -> list[SkippedEntry]:
    """What came in with the images of ``stack`` and is left out."""
    return [SkippedEntry(name=entry.name, code=entry.code, reason=entry.reason) for entry in stack.skipped]


class FileAnswer(BaseModel):
    """A file that is kept for a page."""

    file_id: str = Field(description="the key to it")
    size: int = Field(description="bytes")


class Folders(BaseModel):
    """Folders of the server's own machine that may be opened."""

    folders: list[str] = Field(description="whole paths; everything in them may be opened too")


class FolderRequest(BaseModel):
    """What to open."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"path": "/data/photos/summer"}]})

    path: Text = Field(max_length=4096, description="whole path of a folder, archive or image in one of the folders")


class UploadAnswer(BaseModel):
    """What came in."""

    stack_id: str
    num_images: int
    filenames: list[str]
    resolutions: list[tuple[int, int]] = Field(description="[width, height] of each image, in the order of filenames")
    skipped: list[SkippedEntry]

    @classmethod
    def of(cls, stack: ImageStack) -> UploadAnswer:
        """What ``stack`` holds."""
        headers = [entry.header for entry in stack.entries]
        return cls.model_construct(
            stack_id=stack.id,
            num_images=len(stack),
            filenames=[entry.name for entry in stack.entries],
            resolutions=[(header.width, header.height) for header in headers],
            skipped=skipped_entries(stack),
        )


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


class StackIndex(BaseModel):
    """A stack's images, in order, each as [name, width, height, kind of pixels, bytes]."""

    stack_id: str
    name: str
    images: list[tuple[str, int, int, str, int]]
    skipped: list[SkippedEntry]

    @classmethod
    def of(cls, stack: ImageStack) -> StackIndex:
        """What is in ``stack``."""
        images = [
            (entry.name, entry.header.width, entry.header.height, entry.header.description, entry.file_size)
            for entry in stack.entries
        ]
        # Without looking at each of 20,000 names again, during which nobody else would be served.
        return cls.model_construct(stack_id=stack.id, name=stack.name, images=images, skipped=skipped_entries(stack))


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
        """The images of ``stack``. The sources of stacks sort by name, so there are no ranks.

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
        )


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
        None,
        exclude_if=lambda value: value is None,
        description="whose range of values the image was scaled by, if any",
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


class EngineInfo(BaseModel):
    """One way to run a model."""

    name: EngineChoice
    title: str
    available: bool = Field(description="whether what it needs is installed")
    loaded: bool = Field(description="whether its first prediction would be answered at once")
    calibrated: bool = Field(description="whether its confidences say how often such answers are right")
    tells_unknown: bool = Field(description="whether its answers say if an image shows one of the classes at all")


class ModelInfo(BaseModel):
    """An installed model."""

    name: str
    title: str
    description: str
    architecture: str
    classes: list[str]
    default: bool
    engines: list[EngineInfo]


class DamagedModelInfo(BaseModel):
    """An installed model that cannot be used, and why."""

    name: str
    reason: str


class ModelList(BaseModel):
    """The installed models, the default one first."""

    models: list[ModelInfo]
    damaged: list[DamagedModelInfo]


class Health(BaseModel):
    """Whether the server answers (``live``) and predicts at once (``ready``)."""

    status: Literal["live", "ready", "starting"]
