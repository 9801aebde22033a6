"""What Python and the browser tell each other, described once.

``python -m pages._ui.components.contract`` prints it as JSON Schema, from which ``shared/contract.d.ts`` is made
(docs/development.md); TypeScript's checker holds the browser's side to that, and mypy and pydantic hold Python to it.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from core.api.live_teaching import AlikeImages, LabelAction, TeachingColumns
from core.api.schemas.columns import AnswerColumns, ImageAnswers, ImageColumns


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ViewData(_Message):
    """What Python sends to a viewer or a gallery. Addresses are relative to the page."""

    stack: str = Field(description="id of the stack")
    version: int = Field(description="another one than before makes the browser take `current` and `selected`")
    current: int = Field(description="position of the image on show, from 0")
    selected: str = Field(description="positions of the selected images as ascending ranges, `0-2,7`")
    count: int = Field(description="images in the stack")
    index_url: str = Field(description="answers with ImageColumns")
    image_url: str = Field(description="with `{index}`")
    thumbnail_url: str = Field(description="with `{index}`")
    values_url: str = Field(description="with `{index}`")
    explanation_url: str = Field(description="with `{index}`; empty, nobody can ask where a network looked")
    patient_url: str = Field(description="with `{index}`; empty, nobody is told whose images these are")
    results_url: str = Field(description="answers with AnswerColumns; empty while there are none")
    answer_url: str = Field(description="with `{index}`, answers with ImageAnswers; empty while there are none")
    teaching_url: str = Field(description="answers with TeachingColumns, takes LabelAction; empty without Label mode")
    alike_url: str = Field(description="with `{index}`, answers with AlikeImages; empty without Label mode")
    teaching_revision: int = Field(description="of what is there now: the browser asks where it knows another one")
    tag: str = Field(description="names the stack in the address of the page; empty, the address is left alone")
    height: int = Field(description="CSS pixels of the part that shows images; 0, all there is room for")
    reports: bool = Field(description="whether this component tells Python about changes")


class ViewReport(_Message):
    """What the browser reports as the state `view`: fields as in ViewData."""

    stack: str
    version: int
    current: int
    selected: str
    taught: int = Field(0, description="revision of labels and suggestions on show: Python draws what goes with it")


class Refusals(_Message):
    """The sentences for what is refused before it is sent."""

    several: str
    wrong_kind: str
    too_large: str


class Several(_Message):
    """How a field takes several files as one: chosen, dropped, also in folders, or pasted."""

    most: int = Field(description="so many files")
    archives: list[str] = Field(description="endings of the names of files that are sent alone, in lower case")
    media_types: list[str] = Field(description="what the file dialog offers beside the endings")
    too_many: str
    unreadable: str


class UploaderData(_Message):
    """What Python sends to the upload field."""

    compact: bool = Field(description="only a button")
    button: str
    invitation: str
    hint: str
    drop: str = Field(description="what is said while a file is held over the page")
    endings: list[str] = Field(description="of the names of files that are taken, in lower case")
    media_type: str
    limit: int = Field(description="most bytes of a file")
    refusals: Refusals
    url: str = Field(description="where a file is posted")
    several: Several | None = Field(None, description="without, files are sent as they are, one after the other")
    together: int = Field(1, description="without `several`, so many files may come at once")
    prefetch: list[str] = Field(description="what a new stack's page needs first; with `{stack}`")
    received: int = Field(0, description="reports that Python has taken: with another number the field is free again")


class UploadReport(_Message):
    """What the browser reports as the trigger `event`: the id of the new stack or files, or why there is none."""

    stack: str | None = None
    files: list[str] | None = None
    error: str | None = None
    unknown_files: int | None = Field(None, description="of labels that were taken: lines about other files")


MESSAGES: tuple[type[BaseModel], ...] = (
    ViewData,
    ViewReport,
    UploaderData,
    UploadReport,
    ImageColumns,
    AnswerColumns,
    ImageAnswers,
    TeachingColumns,
    LabelAction,
    AlikeImages,
)


class _Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        """Titles only repeat the names of fields, and each would become a type of its own."""
        return False


def json_schema() -> dict[str, Any]:
    """One schema with all messages as properties."""
    _, schema = models_json_schema(
        [(model, "validation") for model in MESSAGES], title="Contract", schema_generator=_Untitled
    )
    properties = {model.__name__: {"$ref": f"#/$defs/{model.__name__}"} for model in MESSAGES}
    return schema | {"type": "object", "properties": properties, "additionalProperties": False}


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))
