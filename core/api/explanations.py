"""Where the network looked: the class activation map of one image, as numbers or as a picture."""

from __future__ import annotations

import hashlib
from functools import partial
from threading import Event
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from core.api.caching import NO_SNIFF, NOT_MODIFIED, not_modified
from core.api.clients import client_of
from core.api.image_threads import FREE_BYTES, ImageThreads
from core.api.predictions import PredictionThreads, until_client_leaves
from core.api.problems import responses
from core.api.schemas.fields import EngineChoice, Text
from core.api.schemas.recognition import Score
from core.engines.registry import default_engine
from core.images.display import MEDIA_TYPE
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from core.trust.explain import ClassMap, Explainer, Explanation
from core.trust.map_pictures import input_png, to_png

DECIMALS = 4
_DEFAULT_ENGINE = default_engine().name
Form = Literal["json", "png", "overlay", "input"]


class ExplanationAnswer(BaseModel):
    """How much each place of an image speaks for a class: mean of ``map`` + ``bias`` + ``rounding`` = ``logit``."""

    model: str
    engine: str
    precision: str
    label: str = Field(serialization_alias="class", description="the class that the map is about")
    confidence: float | None = Field(description="its softmax probability, 0..1, where it is among the best")
    logit: float = Field(description="what the engine answered for it")
    bias: float = Field(description="what the class gets whatever the image shows")
    rounding: float = Field(description="what INT8 rounds in the last layer; nothing in floating point")
    best: list[Score] = Field(description="the best classes, best first")
    box: tuple[float, float, float, float] = Field(
        description="left, top, right, bottom of the map on the image, in its pixels: the part that the model saw"
    )
    map: list[list[float]] = Field(description="rows from top to bottom, in logits")

    @classmethod
    def of(cls, found: Explanation, shown: ClassMap) -> ExplanationAnswer:
        """The map ``shown`` of an explanation."""
        confidences = {score.label: score.confidence for score in found.best}
        return cls(
            model=found.model,
            engine=found.engine,
            precision=found.precision,
            label=shown.label,
            confidence=confidences.get(shown.label),
            logit=shown.logit,
            bias=shown.bias,
            rounding=shown.rounding,
            best=[Score(label=score.label, confidence=score.confidence) for score in found.best],
            box=found.seen,
            map=shown.values.round(DECIMALS).tolist(),
        )


_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {}}, "description": "The map, or a picture of it"}
}


def explanations_router(
    store: StackStore,
    registry: ModelRegistry,
    service: RecognitionService,
    explainer: Explainer,
    predictions: PredictionThreads,
    images: ImageThreads,
) -> APIRouter:
    """``/api/v1/stacks/{stack_id}/images/{index}/explanation``."""
    router = APIRouter(prefix="/api/v1/stacks/{stack_id}/images/{index}", tags=["images"])

    @router.get(
        "/explanation",
        response_model=ExplanationAnswer,
        responses=_PICTURE | NOT_MODIFIED | responses(400, 404, 422, 429, 500, 503, 507),
    )
    async def explanation(
        request: Request,
        stack_id: str,
        index: int,
        engine: EngineChoice = _DEFAULT_ENGINE,
        model: Annotated[
            Text | None, Query(description="an installed model, or one used in this stack; left out, the default one")
        ] = None,
        label: Annotated[
            Text | None, Query(alias="class", description="whose map; left out, of the class that the engine names")
        ] = None,
        form: Annotated[
            Form,
            Query(
                description="`png`: a pixel for each place; `input`: what the model saw; `overlay`: the map over that"
            ),
        ] = "json",
    ) -> Response:
        """Where the network looked in an image: its class activation map for a class, computed now."""
        stack = store.get(stack_id)
        stack.check(index)
        used = await run_sync(_model, service, registry, stack, model)
        tag = _tag(used.checksum, engine, label, form)
        if known := not_modified(request, tag):
            return _kept(known, tag)

        client = client_of(request)

        def look(cancelled: Event) -> Response:
            found = explainer.explain(stack, index, used, engine, label=label, client=client, cancelled=cancelled)
            return _answer(found, found.maps[label or found.best[0].label], used, form)

        async def make() -> Response:
            async with until_client_leaves(request) as left:
                return _kept(await predictions.do(partial(look, left)), tag)

        height, width, channels = used.preprocessing.input_shape
        most = height * width * channels if form in ("overlay", "input") else FREE_BYTES
        return await images.until_sent(request, make, answer=most)

    return router


def _answer(found: Explanation, shown: ClassMap, model: Model, form: Form) -> Response:
    if form == "json":
        body = ExplanationAnswer.of(found, shown).model_dump_json(by_alias=True)
        return Response(body, media_type="application/json")
    if form == "png":
        return Response(to_png(shown), media_type=MEDIA_TYPE)
    over = shown if form == "overlay" else None
    return Response(input_png(found.inputs, model.preprocessing, over), media_type=MEDIA_TYPE)


def _model(service: RecognitionService, registry: ModelRegistry, stack: ImageStack, name: str | None) -> Model:
    """One that a session has for itself is found in the stacks that it was used in."""
    used = service.model(stack, name) if name else None
    return used or registry.get(name)


def _tag(*what: str | None) -> str:
    return f'"{hashlib.sha256(repr(what).encode()).hexdigest()[:24]}"'


def _kept(response: Response, tag: str) -> Response:
    """The client may keep it, and asks each time: another model may have the name by then."""
    response.headers.update({"ETag": tag, "Cache-Control": "private, no-cache", **NO_SNIFF})
    return response
