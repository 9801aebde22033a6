"""A session as one file, to go on another day: labels, results, which models they are of, and what was on show."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from core.base.errors import InvalidRequest, LabelsInvalid
from core.recognition.saved_results import SavedResults
from core.recognition.stack_results import StackResults
from core.stacks.stack import ImageStack
from core.teach.labels import MAX_CLASSES, Labels

MAX_BYTES = 8 * 1024 * 1024  # 20,000 images take 0.2 MB with labels, and 1.3 MB with the answers of an engine
_Text = Annotated[str, StringConstraints(max_length=200)]
_Position = Annotated[int, Field(ge=0)]


class SavedTeaching(BaseModel):
    """What the file holds; positions are of images in the stack, from 0, and the images themselves are not in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["aisr-teaching-1", "aisr-teaching-2"] = "aisr-teaching-2"
    stack: _Text = Field(description="the stack's fingerprint")
    classes: list[_Text] = Field(max_length=MAX_CLASSES)
    images: list[_Position] = Field(description="labelled ones")
    labels: list[_Position] = Field(description="of each, the place of its class in `classes`")
    model: _Text = Field(description="name of the model that the head is for")
    threshold: float | None = Field(
        None, ge=0, le=1, description="known score below which an image shows none of the classes; null is automatic"
    )
    current: _Position = 0
    selected: list[_Position] = []
    in_use: _Text = Field("", description="name of the model that recognises")
    engine: _Text = Field("", description="that it was to use")
    results: SavedResults = SavedResults()

    @model_validator(mode="before")
    @classmethod
    def _without_a_likeness(cls, data: Any) -> Any:
        """The first form held a threshold of another scale, which says nothing here."""
        is_first = isinstance(data, dict) and data.get("format") == "aisr-teaching-1"
        return data | {"threshold": None} if is_first else data

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.images) != len(self.labels) or max(self.labels, default=-1) >= len(self.classes):
            raise ValueError("labels, images and classes do not fit each other")
        return self

    @classmethod
    def of(
        cls,
        labels: Labels,
        stack: ImageStack,
        *,
        model: str,
        threshold: float | None,
        current: int,
        selected: tuple[int, ...],
        in_use: str = "",
        engine: str = "",
        results: StackResults | None = None,
    ) -> Self:
        """What there is now."""
        found = (one for answers in results.by_image().values() for one in answers) if results else ()
        by_image, classes = labels.by_image, list(labels.classes)
        place = {name: number for number, name in enumerate(classes)}
        return cls(
            stack=stack.fingerprint,
            classes=classes,
            images=list(by_image),
            labels=[place[name] for name in by_image.values()],
            model=model,
            threshold=threshold,
            current=current,
            selected=list(selected),
            in_use=in_use,
            engine=engine,
            results=SavedResults.of(found),
        )

    def to_bytes(self) -> bytes:
        """The file; without the results where it would be larger than ``read_saved`` takes."""
        data = self.model_dump_json().encode()
        if len(data) > MAX_BYTES:
            data = self.model_copy(update={"results": SavedResults()}).model_dump_json().encode()
        return data

    def restore(self, labels: Labels, stack: ImageStack, results: StackResults) -> None:
        """Make ``labels`` what was saved, in one change that can be undone, and add what was recognised.

        Raises:
            LabelsInvalid: they do not fit the stack, or a name is none for a class; then nothing has changed.
        """
        answers = self.results.predictions([entry.name for entry in stack.entries])
        saved = {index: self.classes[place] for index, place in zip(self.images, self.labels, strict=True)}
        labels.assign_each(dict.fromkeys(labels.by_image) | saved, classes=self.classes)
        if answers:
            results.add(answers)


def read_saved(data: bytes, stack: ImageStack) -> SavedTeaching:
    """The file's content.

    Raises:
        LabelsInvalid: it is no such file.
        InvalidRequest: it is about another stack.
    """
    if len(data) > MAX_BYTES:
        raise LabelsInvalid(f"A saved session has at most {MAX_BYTES // 1024 // 1024} MB; this file is larger.")
    try:
        saved = SavedTeaching.model_validate_json(data)
    except ValidationError as error:
        raise LabelsInvalid(
            "This is no session saved on the Teach page, or it is damaged. Nothing was changed."
        ) from error
    if saved.stack != stack.fingerprint:
        raise InvalidRequest("This session is about another ZIP. Open that one first: it may have any name.")
    return saved
