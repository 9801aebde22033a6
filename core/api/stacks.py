"""Stacks as resources below ``/api/v1/stacks``: for programs, and for the images on the pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Annotated, Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from core.api.caching import NOT_MODIFIED, immutable
from core.api.clients import client_of
from core.api.json_answer import json_answer
from core.api.predictions import PredictionThreads, check_count, until_client_leaves
from core.api.problems import responses
from core.api.receive import receive_stack
from core.api.schemas.columns import AnswerColumns, ImageAnswers, ImageColumns
from core.api.schemas.recognition import (
    ImagePrediction,
    RecognitionAnswer,
    RecognitionRequest,
    StackAnswers,
    StreamFailure,
)
from core.api.schemas.stacks import StackIndex
from core.api.short_routes import FORM_BODY
from core.base.errors import AppError, InvalidRequest
from core.base.settings import Settings
from core.engines.registry import engine_label
from core.images.formats import formats
from core.images.pixels import RangeOf
from core.models.registry import ModelRegistry
from core.recognition.results import Prediction, Recognition
from core.recognition.service import Order, RecognitionService
from core.stacks.store import StackStore

NDJSON = "application/x-ndjson"
_TYPES = ("application/zip", "application/x-tar", "application/octet-stream", *(one.media_type for one in formats()))
_BODY: dict[str, Any] = {
    "required": True,
    "content": {one: {"schema": {"type": "string", "format": "binary"}} for one in _TYPES} | FORM_BODY,
}


def stacks_router(
    store: StackStore,
    registry: ModelRegistry,
    service: RecognitionService,
    predictions: PredictionThreads,
    settings: Settings,
    unpacking: CapacityLimiter,
) -> APIRouter:
    """Create, look into, recognise and delete stacks."""
    router = APIRouter(prefix="/api/v1/stacks", tags=["stacks"])

    @router.post(
        "",
        status_code=201,
        response_model=StackIndex,
        responses=responses(400, 408, 413, 415, 422, 429, 503, 507),
        openapi_extra={"requestBody": _BODY},
    )
    async def create(
        request: Request,
        name: Annotated[
            str, Query(max_length=255, description="what to call it, where the body is the file itself, or has several")
        ] = "",
    ) -> Response:
        """Open a ZIP or TAR of images, or images; they are written to disk as they arrive. The id is the key to it."""
        stack = await receive_stack(request, store, settings, client_of(request), name, unpacking=unpacking)
        headers = {"Location": f"{request.url.path}/{stack.id}"}
        return await json_answer(lambda: StackIndex.of(stack), 201, headers)

    @router.get("/{stack_id}", response_model=StackIndex, responses=NOT_MODIFIED | responses(404))
    def index(request: Request, stack_id: str) -> Response:
        """What is in a stack, and what was left out, with the reasons."""
        stack = store.get(stack_id)
        return immutable(
            request, '"index"', lambda: Response(StackIndex.of(stack).model_dump_json(), media_type="application/json")
        )

    @router.get("/{stack_id}/images", response_model=ImageColumns, responses=NOT_MODIFIED | responses(400, 404, 409))
    def images(
        request: Request,
        stack_id: str,
        value_range: Annotated[RangeOf, Query(description="as for their pictures; 409 before it is known")] = "image",
    ) -> Response:
        """The images of a stack, column by column."""
        stack = store.get(stack_id)
        return immutable(
            request,
            f'"images-{value_range}"',
            lambda: Response(ImageColumns.of(stack, value_range).model_dump_json(), media_type="application/json"),
        )

    @router.delete("/{stack_id}", status_code=204, responses=responses(404))
    def delete(stack_id: str) -> None:
        """Close a stack and delete its files."""
        store.get(stack_id)
        store.delete(stack_id)

    @router.get("/{stack_id}/results", responses=responses(404))
    def results(stack_id: str, response: Response) -> StackAnswers:
        """What has been recognised so far, by position; unreadable images have no answer."""
        response.headers["Cache-Control"] = "no-store"
        found = service.results(store.get(stack_id)).by_image()
        return StackAnswers(
            results={
                index: [
                    (one.label, one.confidence, engine_label(one.engine), one.model)
                    for one in answers
                    if one.error is None
                ]
                for index, answers in found.items()
            }
        )

    @router.get("/{stack_id}/answers", response_model=AnswerColumns, responses=responses(404))
    def answers(stack_id: str) -> Response:
        """What has been recognised so far, column by column; unreadable images have no answer."""
        columns = AnswerColumns.of(service.results(store.get(stack_id)))
        return Response(columns.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})

    @router.get("/{stack_id}/images/{index}/answers", responses=responses(400, 404))
    def image_answers(stack_id: str, index: int, response: Response) -> ImageAnswers:
        """What has been recognised in one image: each engine's best classes."""
        stack = store.get(stack_id)
        stack.check(index)
        response.headers["Cache-Control"] = "no-store"
        return ImageAnswers.of(service.results(stack).at(index))

    @router.post(
        "/{stack_id}/predictions",
        response_model=RecognitionAnswer,
        responses=responses(400, 404, 413, 429, 503, 507)
        | {
            200: {
                "content": {NDJSON: {"schema": {"type": "string"}}},
                "description": "One answer, or one line an image",
            }
        },
    )
    async def predict(
        request: Request,
        stack_id: str,
        body: RecognitionRequest,
        accept: Annotated[str, Header(description=f"`{NDJSON}` streams a line for each image as it is made")] = "",
    ) -> RecognitionAnswer | StreamingResponse:
        """Recognise images of a stack."""
        stack = store.get(stack_id)
        indices = range(len(stack)) if body.images is None else body.images
        if len(indices) == 0:
            raise InvalidRequest("Name at least one image, or leave “images” out for all of them.")
        check_count(len(indices), settings)
        for index in indices:
            stack.check(index)
        model = await run_sync(registry.get, body.model)
        size = body.batch_size or 0
        order = Order(stack, indices, model, (body.engine,), client_of(request), size, range_of=body.value_range)
        async with until_client_leaves(request) as left:
            if NDJSON not in accept:
                return _answer(await predictions.run(order, left), body.top_k, stack.id)
            batches = predictions.stream(order, left)
            first = await anext(batches)  # an error before it still gets its own status
        return StreamingResponse(_lines(first, batches, body.top_k), media_type=NDJSON)

    return router


def _answer(result: Recognition, top_k: int, stack_id: str) -> RecognitionAnswer:
    return RecognitionAnswer(
        stack_id=stack_id,
        model=result.model,
        engine=result.engine,
        precision=result.precision,
        batch_size=result.timing.batch_size,
        seconds=result.timing.total_seconds,
        predictions=[ImagePrediction.of(prediction, top_k) for prediction in result.predictions],
    )


async def _lines(
    first: Sequence[Prediction], batches: AsyncGenerator[Sequence[Prediction]], top_k: int
) -> AsyncIterator[str]:
    """A JSON object a line for each prediction; an error on the way becomes the last line."""
    try:
        yield _json_lines(first, top_k)
        async for batch in batches:
            yield _json_lines(batch, top_k)
    except AppError as error:
        yield StreamFailure(code=error.code, detail=str(error)).model_dump_json() + "\n"
    finally:
        await batches.aclose()


def _json_lines(batch: Sequence[Prediction], top_k: int) -> str:
    return "".join(ImagePrediction.of(prediction, top_k).model_dump_json(by_alias=True) + "\n" for prediction in batch)
