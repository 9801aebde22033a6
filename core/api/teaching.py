"""Labels and teaching below ``/api/v1/stacks/ID``: what a person does on the page, for programs."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.api.clients import client_of
from core.api.json_answer import json_answer
from core.api.problems import responses
from core.api.schemas.fields import Text
from core.base.errors import InvalidRequest, TeachingNotFound
from core.optimize.progress import StepState
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from core.teach.job import TeachingJob
from core.teach.labels import Labels
from core.teach.report import TeachingReport
from core.teach.service import TeachingService
from core.trust.label_files import from_csv, from_folders, to_csv, to_folders

CSV = "text/csv"


class LabelsRequest(BaseModel):
    """Labels to give; in one change, or where anything of it makes no sense, none."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"images": {"0": "scratches", "1": None}}]}
    )

    images: dict[int, Text | None] = Field({}, description="class of each image by position; null takes it away")
    folders: bool = Field(False, description="first give all images the names of the folders they lie in")
    classes: list[Text] = Field([], description="classes to add without images")


class LabelsAnswer(BaseModel):
    """The labels as they are now."""

    classes: list[str]
    counts: dict[str, int] = Field(description="labelled images of each class")
    images: dict[int, str] = Field(description="class of each labelled image by position")
    unknown_files: int = Field(0, description="lines of the CSV just sent that name files which are not in the stack")

    @classmethod
    def of(cls, labels: Labels, unknown: int = 0) -> Self:
        """What ``labels`` are."""
        return cls(
            classes=list(labels.classes), counts=labels.counts, images=dict(labels.by_image), unknown_files=unknown
        )


class TeachRequest(BaseModel):
    """What to make of the labels."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "steel"}]})

    name: Text = Field(description="of the model: at most 40 lower-case letters, digits and hyphens")
    backbone: Text | None = Field(None, description="name of the model to teach; left out, the default one")
    stages: Literal["all", "last"] = Field(
        "all", description="what the head looks at: all four stages, or the last, which makes a plain ResNet18"
    )
    further: bool = Field(False, description="go on from the examples that the backbone was taught with")
    train_longer: bool = Field(
        False, description="train the last stage too, which takes minutes, and keep that where it is better"
    )
    keep: bool | None = Field(
        None, description="install the model; left out, where the server allows it. Else it goes with the stack"
    )


class TeachingStep(BaseModel):
    """A step of a teaching; `share` is what is done of it (0..1), where that is known."""

    title: str
    status: Literal["waiting", "running", "done", "stopped"]
    seconds: float
    detail: str
    share: float | None

    @classmethod
    def of(cls, step: StepState) -> Self:
        """What ``step`` says."""
        return cls(
            title=step.title, status=step.status, seconds=round(step.seconds, 3), detail=step.detail, share=step.share
        )


class TeachingState(BaseModel):
    """A teaching: the steps, and at its end the model's name and the report."""

    model_config = ConfigDict(protected_namespaces=())

    status: Literal["running", "done", "cancelled", "failed"]
    message: str = Field(description="why it did not end well; empty where it did, or has not ended")
    code: str = Field("", description="stable, for programs, where it failed")
    steps: list[TeachingStep]
    model: str | None = Field(None, description="name of the new model, for predictions")
    report: TeachingReport | None = None

    @classmethod
    def of(cls, job: TeachingJob) -> Self:
        """How far ``job`` is."""
        status = job.status  # first: what is read after it is complete if it is "done"
        done = status == "done"
        return cls(
            status=status,
            message=job.message,
            code=job.error.code if job.error else "",
            steps=[TeachingStep.of(step) for step in job.steps],
            model=job.lesson.folder.name if done else None,
            report=job.report if done else None,
        )


_LABELS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": LabelsRequest.model_json_schema()},
            CSV: {"schema": {"type": "string"}},
        },
    }
}


def teaching_router(store: StackStore, teaching: TeachingService) -> APIRouter:
    """``/labels`` and ``/teach`` of a stack."""
    router = APIRouter(prefix="/api/v1/stacks/{stack_id}", tags=["teaching"])

    @router.get(
        "/labels",
        response_model=LabelsAnswer,
        responses=responses(400, 404)
        | {200: {"content": {CSV: {}, "application/zip": {}}, "description": "The labels, as asked for"}},
    )
    def labels(
        stack_id: str,
        form: Annotated[
            Literal["json", "csv", "zip"], Query(description="`zip`: the labelled files in a folder for each class")
        ] = "json",
    ) -> Response:
        """The labels of a stack."""
        stack = store.get(stack_id)
        found = teaching.labels(stack)
        headers = {"Cache-Control": "no-store"}
        if form == "csv":
            names = [entry.name for entry in stack.entries]
            return Response(to_csv(found.by_image, names), media_type=CSV, headers=headers)
        if form == "zip":
            headers["Content-Disposition"] = 'attachment; filename="labelled.zip"'
            return StreamingResponse(to_folders(found.by_image, stack), media_type="application/zip", headers=headers)
        return Response(LabelsAnswer.of(found).model_dump_json(), media_type="application/json", headers=headers)

    @router.post(
        "/labels",
        response_model=LabelsAnswer,
        responses=responses(400, 404, 413, 422, 429, 503),
        openapi_extra=_LABELS_BODY,
    )
    async def label(request: Request, stack_id: str) -> Response:
        """Label images: JSON, or a CSV of file name and class (`text/csv`). A request with an error changes nothing."""
        stack = store.get(stack_id)
        body = await request.body()
        is_csv = request.headers.get("content-type", "").partition(";")[0].strip().lower() == CSV
        change = _label_by_csv if is_csv else _label_by_json
        return await json_answer(lambda: change(teaching.labels(stack), stack, body), 200)

    @router.delete("/labels", responses=responses(404))
    def clear(stack_id: str) -> LabelsAnswer:
        """Take all labels and classes away."""
        found = teaching.labels(store.get(stack_id))
        for name in found.classes:
            found.remove_class(name)
        return LabelsAnswer.of(found)

    @router.post("/teach", status_code=202, responses=responses(400, 403, 404, 413, 422, 429, 500, 503, 507))
    def teach(request: Request, stack_id: str, body: TeachRequest) -> TeachingState:
        """Teach the labels of a stack. Ask with GET how far it is; predictions take the model it names at the end."""
        looker = teaching.looker(store.get(stack_id), body.backbone, client_of(request), "api")
        job = teaching.teach(
            looker, body.name, stages=body.stages, keep=body.keep, further=body.further, longer=body.train_longer
        )
        return TeachingState.of(job)

    @router.get("/teach", responses=responses(404))
    def state(stack_id: str, response: Response) -> TeachingState:
        """How far the latest teaching of a stack is, and what came of it."""
        response.headers["Cache-Control"] = "no-store"
        return TeachingState.of(_job(teaching, store.get(stack_id)))

    @router.delete("/teach", status_code=202, responses=responses(404))
    def cancel(stack_id: str) -> TeachingState:
        """Cancel it; nothing is made then."""
        job = _job(teaching, store.get(stack_id))
        job.cancel()
        return TeachingState.of(job)

    return router


def _job(teaching: TeachingService, stack: ImageStack) -> TeachingJob:
    if (job := teaching.job(stack)) is None:
        raise TeachingNotFound("Nobody has begun to teach this stack. Label images, and POST here.")
    return job


def _label_by_csv(labels: Labels, stack: ImageStack, body: bytes) -> LabelsAnswer:
    found = from_csv(body, [entry.name for entry in stack.entries])
    labels.assign_each(found.by_image)
    return LabelsAnswer.of(labels, found.unknown)


def _label_by_json(labels: Labels, stack: ImageStack, body: bytes) -> LabelsAnswer:
    try:
        asked = LabelsRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(("body", *map(str, first["loc"])))
        raise InvalidRequest(f"{place}: {first['msg']}") from error
    given: dict[int, str | None] = dict(from_folders([entry.name for entry in stack.entries])) if asked.folders else {}
    labels.assign_each(given | asked.images, classes=asked.classes)
    return LabelsAnswer.of(labels)
