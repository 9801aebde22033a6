"""Evaluations below ``/api/v1/stacks/ID``: how often models are right about a stack whose classes are known."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.api.clients import client_of
from core.api.json_answer import json_answer
from core.api.problems import responses
from core.api.schemas.fields import Count, EngineChoice, Text
from core.base.errors import EvaluationNotDone, EvaluationNotFound
from core.engines.registry import default_engine
from core.models.registry import ModelRegistry
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from core.teach.service import TeachingService
from core.trust.evaluation.evaluation import Subject
from core.trust.evaluation.job import MAX_SUBJECTS, EvaluationJob, EvaluationPlan
from core.trust.evaluation.known import KnownClasses, known_from_csv, known_from_folders
from core.trust.evaluation.report import EvaluationReport
from core.trust.evaluation.service import EvaluationService
from core.trust.evaluation.tables import classes_csv, images_csv

CSV, HTML = "text/csv", "text/html"


class EvaluationRequest(BaseModel):
    """What to evaluate, and where the classes are known from. Every model is run by every engine."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"labels": "folders", "engines": [default_engine().name]}]},
    )

    labels: Literal["folders", "labels"] = Field(
        "folders", description="names of the folders that images lie in, or what `/labels` holds"
    )
    labels_csv: Text | None = Field(None, description="instead of these: lines of file name and class")
    models: list[Text] | None = Field(
        None, min_length=1, max_length=MAX_SUBJECTS, description="names of models; left out, the default one"
    )
    engines: list[EngineChoice] = Field([default_engine().name], min_length=1, max_length=MAX_SUBJECTS)
    batch_size: Count | None = Field(None, description="images per inference call; measured when left out")


class EvaluationState(BaseModel):
    """An evaluation: how far it is, and at its end the report."""

    status: Literal["running", "done", "cancelled", "failed"]
    message: str = Field(description="why it did not end well; empty where it did, or has not ended")
    code: str = Field("", description="stable, for programs, where it failed")
    phase: Literal["waiting", "decoding", "loading", "recognizing", "judging"]
    run: str = Field(description="the model or engine at work, for people")
    done: int = Field(description="answers that are there")
    total: int = Field(description="answers that are needed: labelled images times models and engines")
    report: EvaluationReport | None = None

    @classmethod
    def of(cls, job: EvaluationJob) -> Self:
        """How far ``job`` is."""
        status, progress = job.status, job.progress  # first: what is read after it is complete if it is "done"
        return cls(
            status=status,
            message=job.message,
            code=job.error.code if job.error else "",
            phase=progress.phase,
            run=progress.label,
            done=progress.done,
            total=progress.total,
            report=job.report if status == "done" else None,
        )


def evaluations_router(
    store: StackStore, registry: ModelRegistry, teaching: TeachingService, evaluation: EvaluationService
) -> APIRouter:
    """``/evaluations`` of a stack."""
    router = APIRouter(prefix="/api/v1/stacks/{stack_id}/evaluations", tags=["evaluation"])

    @router.post("", status_code=202, responses=responses(400, 404, 413, 422, 429, 503))
    def evaluate(request: Request, stack_id: str, body: EvaluationRequest) -> EvaluationState:
        """Evaluate models on the labelled images of a stack. Answers it has are used; ask with GET how far it is."""
        stack = store.get(stack_id)
        models = [registry.get(name) for name in body.models] if body.models else [registry.get()]
        subjects = tuple(Subject(model, engine) for model in models for engine in body.engines)
        plan = EvaluationPlan(stack, _known(body, stack, teaching), subjects, client_of(request), body.batch_size or 0)
        return EvaluationState.of(evaluation.evaluate(plan, "api"))

    @router.get(
        "",
        response_model=EvaluationState,
        responses=responses(400, 404, 409) | {200: {"content": {CSV: {}, HTML: {}}, "description": "As asked for"}},
    )
    async def state(
        stack_id: str,
        form: Annotated[
            Literal["json", "images", "classes", "html"],
            Query(description="of an evaluation that is done: `images` and `classes` as CSV, `html` a report to read"),
        ] = "json",
    ) -> Response:
        """How far the latest evaluation of a stack is, and what came of it."""
        job = _job(evaluation, store.get(stack_id))
        if form == "json":
            return await json_answer(lambda: EvaluationState.of(job), 200, {"Cache-Control": "no-store"})
        return await run_sync(_file, job, form)

    @router.delete("", status_code=202, responses=responses(404))
    def cancel(stack_id: str) -> EvaluationState:
        """Cancel it; what was recognised so far is kept."""
        job = _job(evaluation, store.get(stack_id))
        job.cancel()
        return EvaluationState.of(job)

    return router


def _known(body: EvaluationRequest, stack: ImageStack, teaching: TeachingService) -> KnownClasses:
    names = [entry.name for entry in stack.entries]
    if body.labels_csv is not None:
        return known_from_csv(body.labels_csv.encode(), names)
    if body.labels == "folders":
        return known_from_folders(names)
    return KnownClasses(teaching.labels(stack).by_image, "labels")


def _job(evaluation: EvaluationService, stack: ImageStack) -> EvaluationJob:
    if (job := evaluation.job(stack)) is None:
        raise EvaluationNotFound("Nobody has evaluated this stack. POST here what to evaluate.")
    return job


def _file(job: EvaluationJob, form: str) -> Response:
    found, report = job.evaluation, job.report
    if found is None or report is None:
        raise EvaluationNotDone("This evaluation has no result yet; ask without “form” how far it is.")
    headers = {"Cache-Control": "no-store"}
    if form == "html":
        from core.trust.evaluation.html_report import to_html  # its charts take a second to load

        headers["Content-Disposition"] = 'attachment; filename="evaluation.html"'
        return Response(to_html(report), media_type=HTML, headers=headers)
    text = images_csv(found) if form == "images" else classes_csv(found)
    return Response(text, media_type=CSV, headers=headers)
