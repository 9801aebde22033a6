"""The four short routes: upload a stack, fetch an image of it, recognise with the reference or the default engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Cookie, Query, Request, Response

from core.api.caching import NO_SNIFF
from core.api.clients import STACK_COOKIE, client_of, find_stack, remember_stack
from core.api.image_threads import ImageThreads
from core.api.images import ORIGINAL, send_original
from core.api.json_answer import json_answer
from core.api.predictions import PredictionThreads, check_count, until_client_leaves
from core.api.problems import responses
from core.api.receive import receive_stack
from core.api.schemas.recognition import PredictAnswer, PredictRequest
from core.api.schemas.stacks import UploadAnswer
from core.base.errors import ImageNotFound, InvalidRequest
from core.base.settings import Settings
from core.engines.engine import EngineDescription
from core.engines.registry import default_engine, reference_engine
from core.images.formats import format_names
from core.models.registry import ModelRegistry
from core.recognition.results import Prediction
from core.recognition.service import Order
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore

FORM_BODY: dict[str, Any] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {
                "file": {
                    "type": "array",
                    "items": {"type": "string", "format": "binary"},
                    "description": f"a ZIP or TAR of {format_names()} images, or one or more images",
                }
            },
            "required": ["file"],
        }
    }
}


def short_routes(
    store: StackStore,
    registry: ModelRegistry,
    predictions: PredictionThreads,
    threads: ImageThreads,
    settings: Settings,
    unpacking: CapacityLimiter,
) -> APIRouter:
    """``/upload``, ``/uploaded_images/...``, ``/predict``, ``/predict_optimized``."""
    router = APIRouter(tags=["short routes"])

    @router.post(
        "/upload",
        response_model=UploadAnswer,
        responses=responses(400, 408, 413, 415, 422, 429, 503, 507),
        openapi_extra=_body(FORM_BODY),
    )
    async def upload(request: Request) -> Response:
        """Open a ZIP or TAR of images, or images, as a stack; the cookie in the answer lets the next calls find it."""
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise InvalidRequest("No file provided")
        stack = await receive_stack(request, store, settings, client_of(request), unpacking=unpacking)
        response = await json_answer(lambda: UploadAnswer.of(stack), 200)
        remember_stack(request, response, stack, settings)
        return response

    @router.get(
        "/uploaded_images/{filename:path}",
        response_class=Response,
        responses=ORIGINAL | responses(404, 416, 422),
    )
    async def uploaded_image(
        request: Request,
        filename: str,
        stack_id: Annotated[str | None, Query()] = None,
        cookie: Annotated[str | None, Cookie(alias=STACK_COOKIE)] = None,
    ) -> Response:
        """An image of the client's stack, exactly as it was uploaded."""
        stack = find_stack(store, stack_id, cookie)
        index = stack.find(filename)
        # The same path means another image once the client opens another stack, so it is not cached.
        headers = NO_SNIFF | {"Cache-Control": "private, no-cache"}
        return await send_original(threads, request, stack, index, headers)

    def predict_with(engine: EngineDescription) -> Callable[..., Awaitable[list[PredictAnswer]]]:
        async def predict(
            request: Request, body: PredictRequest, cookie: Annotated[str | None, Cookie(alias=STACK_COOKIE)] = None
        ) -> list[PredictAnswer]:
            if not body.filenames:
                raise InvalidRequest("No filenames provided")
            check_count(len(body.filenames), settings)
            stack = find_stack(store, body.stack_id, cookie)
            found = {name: index for name in body.filenames if (index := _position(stack, name)) is not None}
            model = await run_sync(registry.get)
            client = client_of(request)
            order = Order(stack, list(found.values()), model, (engine.name,), client, body.batch_size or 0)
            async with until_client_leaves(request) as left:
                result = await predictions.run(order, left)
            answers = dict(zip(found, result.predictions, strict=True))
            return [_answer(name, answers.get(name)) for name in body.filenames]

        return predict

    statuses = responses(400, 404, 413, 429, 503, 507)
    for path, engine in (("/predict", reference_engine()), ("/predict_optimized", default_engine())):
        summary = f"Recognise images with {engine.label}"
        router.post(path, summary=summary, responses=statuses)(predict_with(engine))
    return router


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


def _position(stack: ImageStack, filename: str) -> int | None:
    with suppress(ImageNotFound):
        return stack.find(filename)
    return None


def _answer(filename: str, prediction: Prediction | None) -> PredictAnswer:
    if prediction is None:
        return PredictAnswer(filename=filename, label="error", confidence=0.0, error="File not found")
    return PredictAnswer(
        filename=filename,
        label=prediction.label,
        confidence=prediction.confidence,
        calibrated=None if prediction.error else prediction.calibrated,
        known=prediction.known,
        known_score=prediction.known_score,
        error=prediction.error,
    )
