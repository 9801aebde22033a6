"""The HTTP door: the same stacks, models and recognition as the pages, for programs and for the pages' images.

Full paths are declared because two families share one application: the short doors (``/upload``,
``/uploaded_images``, ``/predict``, ``/predict_optimized``) and everything below ``/api``.
"""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from core.api.clients import STACK_COOKIE
from core.api.doors import doors_router
from core.api.images import images_router
from core.api.metrics import Metrics
from core.api.predictions import Recognizer
from core.api.problems import Problem, add_problem_handlers
from core.api.service import service_router
from core.api.stacks import stacks_router
from core.api.traffic import TrafficMiddleware
from core.fair_queue import FairQueue
from core.models import ModelRegistry
from core.settings import Settings
from core.store import StackStore

__all__ = ["DOORS", "STACK_COOKIE", "create_api"]

DOORS = ("/upload", "/uploaded_images/{filename:path}", "/predict", "/predict_optimized", "/api/{path:path}")


def create_api(store: StackStore, registry: ModelRegistry, settings: Settings, queue: FairQueue) -> FastAPI:
    """The application with all routes."""
    api = FastAPI(
        title="AI Image Stack Recognizer",
        description=__doc__,
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses={"default": {"model": Problem, "description": "Any failure"}},
    )
    metrics = Metrics(store, queue)
    recognizer = Recognizer(queue, settings, metrics)
    add_problem_handlers(api)
    api.add_middleware(TrafficMiddleware, metrics=metrics)
    if settings.cors_origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=[origin.strip() for origin in settings.cors_origins.split(",")],
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Content-Type", "Range"],
            expose_headers=["Location", "Retry-After", "X-Image-Shape", "X-Image-Dtype"],
        )
    api.include_router(service_router(registry, metrics))
    api.include_router(doors_router(store, registry, recognizer, settings))
    api.include_router(stacks_router(store, registry, recognizer, settings))
    api.include_router(images_router(store))
    return api
