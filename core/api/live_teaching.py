"""What Label mode in the browser needs below ``/api/v1/stacks/ID``: label, undo, and all it shows, by columns."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from core.api.problems import responses
from core.api.schemas.fields import Number, Text
from core.base.errors import InvalidRequest
from core.stacks.store import StackStore
from core.teach.labels import Labels
from core.teach.live import LiveTeaching
from core.teach.service import TeachingService

ALIKE = 12  # images, unless somebody asks for another number
MOST_ALIKE = 500


class LabelAction(BaseModel):
    """One thing a person does."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"images": [0, 1], "label": "scratches"}]}
    )

    do: Literal["label", "undo", "redo"] = "label"
    images: list[Number] = Field([], description="positions of the images to label")
    label: Text | None = Field(None, description="their class; null takes it away")


class LabelRevision(BaseModel):
    """How many changes there were."""

    version: int


class AlikeImages(BaseModel):
    """Images like one of the stack."""

    images: list[int] = Field(description="positions of images without a label, the most similar first")


class TeachingColumns(BaseModel):
    """Labels and suggestions of a stack, column by column; small, and fast to read, for thousands of images."""

    revision: int = Field(description="changes with everything in here but `saved`, `pending` and `note`")
    version: int = Field(description="of the labels")
    saved: int = Field(description="version of the labels that a person has in a file; 0, none")
    pending: bool = Field(description="whether more is being learned: ask again")
    note: str = Field(description="what is going on, or went wrong; empty otherwise")
    classes: list[str]
    images: list[int] = Field(description="positions of labelled images")
    labels: list[int] = Field(description="of each, the place of its class in `classes`")
    suggested: list[int] = Field(description="positions of unlabelled images that have a suggestion")
    suggestions: list[int] = Field(description="of each, the place of its class in `classes`; -1 for none of these")
    shares: list[int] = Field(description="of each, what the suggestion's softmax output is, in percent")
    queue: list[int] = Field(description="unlabelled images, what teaches most first")
    can_undo: bool
    can_redo: bool

    @classmethod
    def of(cls, labels: Labels, live: LiveTeaching | None) -> Self:
        """What there is now."""
        # First: whoever asks again because of an older one has lost nothing.
        revision, version = (live.revision if live else labels.version), labels.version
        classes, by_image = list(labels.classes), labels.by_image
        place = {name: number for number, name in enumerate(classes)}
        suggested, suggestions, shares, queue = _suggested(live, place, set(by_image)) if live else ([], [], [], [])
        return cls(
            revision=revision,
            version=version,
            saved=labels.saved,
            pending=live.pending if live else False,
            note=_note(live) if live else "",
            classes=classes,
            images=list(by_image),
            labels=[place.get(label, -1) for label in by_image.values()],
            suggested=suggested,
            suggestions=suggestions,
            shares=shares,
            queue=queue,
            can_undo=labels.can_undo,
            can_redo=labels.can_redo,
        )


def _suggested(
    live: LiveTeaching, place: dict[str, int], labelled: set[int]
) -> tuple[list[int], list[int], list[int], list[int]]:
    learned = live.learned
    if (found := learned.suggestions) is None:
        return [], [], [], []
    free = ~np.isin(found.indices, list(labelled))
    # A class may have been renamed since, until the next fit.
    places = np.array([place.get(name, -1) for name in found.classes])[found.numbers]
    places[found.unknown(live.threshold)] = -1
    shares = np.floor(found.confidences * 100).astype(int)
    queue = [index for index in learned.queue if index not in labelled]
    return found.indices[free].tolist(), places[free].tolist(), shares[free].tolist(), queue


def _note(live: LiveTeaching) -> str:
    learned, count = live.learned, len(live.session.looker.stack)
    if learned.problem:
        return learned.problem
    if live.pending and live.looked < count:
        return f"Looking at the images: {live.looked:,} of {count:,}"
    return ""


def live_teaching_router(store: StackStore, teaching: TeachingService) -> APIRouter:
    """``/teaching`` of a stack."""
    router = APIRouter(prefix="/api/v1/stacks/{stack_id}/teaching", tags=["teaching"])

    @router.get("", responses=responses(404))
    def columns(stack_id: str, response: Response) -> TeachingColumns:
        """Labels, and what a page in Label mode has learned of them. Asking lets it go on."""
        stack = store.get(stack_id)
        live = teaching.live(stack)
        if live is not None:
            live.refresh()
        response.headers["Cache-Control"] = "no-store"
        return TeachingColumns.of(teaching.labels(stack), live)

    @router.get("/alike", summary="Images like one", responses=responses(400, 404))
    def alike(
        stack_id: str,
        image: Annotated[int, Query(ge=0, description="position of the image")],
        count: Annotated[int, Query(ge=1, le=MOST_ALIKE)] = ALIKE,
    ) -> AlikeImages:
        """The unlabelled images most like one, among those that a page in Label mode has looked at."""
        live = teaching.live(store.get(stack_id))
        if live is None:
            raise InvalidRequest("No page watches this stack. Turn Label mode on first.")
        return AlikeImages(images=live.alike(image, count))

    @router.post("", summary="Change labels", responses=responses(400, 404, 413, 422, 429, 503))
    def act(stack_id: str, body: LabelAction) -> LabelRevision:
        """Label images, or undo or redo the last change. Nothing waits for what is learned of it."""
        labels = teaching.labels(store.get(stack_id))
        match body.do:
            case "label":
                labels.assign(body.images, body.label)
            case "undo":
                labels.undo()
            case "redo":
                labels.redo()
        return LabelRevision(version=labels.version)

    return router
