"""The server itself: health, models, and metrics for Prometheus."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from core.api.metrics import Metrics
from core.api.schemas import EngineInfo, Health, ModelInfo, ModelList
from core.base.errors import ModelError
from core.models.registry import Model, ModelRegistry
from core.recognition.results import ENGINE_LABELS, ENGINE_NAMES


def service_router(registry: ModelRegistry, metrics: Metrics) -> APIRouter:
    """``/api/health/...``, ``/api/v1/models``, ``/api/metrics``."""
    router = APIRouter(prefix="/api")

    @router.get("/health/live", tags=["health"])
    async def live() -> Health:
        """The process answers."""
        return Health(status="live")

    @router.get("/health/ready", tags=["health"], responses={503: {"model": Health, "description": "Still starting"}})
    def ready(response: Response) -> Health:
        """The default model is loaded: predictions are answered at once."""
        with suppress(ModelError):
            if registry.get().is_loaded("openvino-int8"):
                return Health(status="ready")
        response.status_code = 503
        return Health(status="starting")

    @router.get("/v1/models", tags=["models"])
    def models() -> ModelList:
        """The installed models and their engines."""
        found = []
        for name in registry.names:
            with suppress(ModelError):  # a damaged one cannot be used; the others can
                found.append(_info(name, registry.get(name), default=name == registry.names[0]))
        return ModelList(models=found)

    @router.get("/metrics", tags=["health"], response_class=Response)
    def scrape() -> Response:
        """Counters and gauges in the text format of Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _info(name: str, model: Model, *, default: bool) -> ModelInfo:
    engines = [
        EngineInfo(
            name=engine,
            title=ENGINE_LABELS[engine],
            available=model.has_int8 if engine == "openvino-int8" else True,
            loaded=model.is_loaded(engine),
        )
        for engine in ENGINE_NAMES
    ]
    card = model.card
    return ModelInfo(
        name=name,
        title=card.title,
        description=card.description,
        architecture=card.architecture,
        classes=list(card.classes),
        default=default,
        engines=engines,
    )
