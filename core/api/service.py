"""The server itself: health, models, and metrics for Prometheus."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from core.api.metrics import Metrics
from core.api.schemas.models import DamagedModelInfo, EngineInfo, Health, ModelInfo, ModelList
from core.base.errors import ModelError
from core.engines.registry import default_engine, engines
from core.models.model import Model
from core.models.registry import ModelRegistry


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
            if registry.get().is_loaded(default_engine().name):
                return Health(status="ready")
        response.status_code = 503
        return Health(status="starting")

    @router.get("/v1/models", tags=["models"])
    def models() -> ModelList:
        """The installed models and their engines."""
        usable, damaged = registry.installed()
        return ModelList(
            models=[_info(model, default=model.folder.name == registry.default_name) for model in usable],
            damaged=[DamagedModelInfo(name=one.name, reason=one.reason) for one in damaged],
        )

    @router.get("/metrics", tags=["health"], response_class=Response)
    def scrape() -> Response:
        """Counters and gauges in the text format of Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _info(model: Model, *, default: bool) -> ModelInfo:
    offered = [
        EngineInfo(
            name=engine.name,
            title=engine.label,
            available=not engine.missing(model),
            loaded=model.is_loaded(engine.name),
            calibrated=engine.name in model.card.confidence,
            tells_unknown=model.card.known is not None,
        )
        for engine in engines()
    ]
    card = model.card
    return ModelInfo(
        name=model.folder.name,
        title=card.title,
        description=card.description,
        architecture=card.architecture,
        classes=list(card.classes),
        default=default,
        engines=offered,
    )
