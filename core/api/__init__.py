"""The HTTP door: the same stacks, models and recognition as the pages, for programs and for the pages' images.

Full paths are declared because two families share one application: the short routes (``/upload``,
``/uploaded_images``, ``/predict``, ``/predict_optimized``) and everything below ``/api``.
"""

from __future__ import annotations

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline
from starlette.convertors import Convertor, register_url_convertor

from core.api.body_limit import BodyLimitMiddleware
from core.api.clients import STACK_COOKIE
from core.api.evaluations import evaluations_router
from core.api.explanations import explanations_router
from core.api.files import files_router
from core.api.folders import folders_router
from core.api.http_manners import HttpMannersMiddleware
from core.api.image_threads import ImageThreads
from core.api.images import images_router
from core.api.live_teaching import live_teaching_router
from core.api.metrics import Metrics
from core.api.people import people_router
from core.api.predictions import PredictionThreads
from core.api.problems import ANY_FAILURE, add_problem_handlers, describe_problems
from core.api.receive import UNPACKING_AT_ONCE
from core.api.resumable import TUS_HEADERS, resumable_router
from core.api.service import service_router
from core.api.short_routes import short_routes
from core.api.stacks import stacks_router
from core.api.stopping import StoppingMiddleware
from core.api.teaching import teaching_router
from core.api.traffic import TrafficMiddleware
from core.base.settings import Settings
from core.base.version import VERSION
from core.batch.outcome.service import Outcomes
from core.images.formats import format_names
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.people import People
from core.stacks.roots import StackRoots
from core.stacks.store import StackStore
from core.teach.service import TeachingService
from core.trust.evaluation.service import EvaluationService
from core.trust.explain import Explainer

__all__ = ["ROUTES", "STACK_COOKIE", "create_api"]

DESCRIPTION = f"""Upload {format_names()} images, by themselves or in a ZIP or TAR, as a *stack*, look at its
images, and have ResNet18 name what they show.

The short routes keep the stack in a cookie. The resources below `/api/v1` name it in the address: its id is the key to
it, so keep it to yourself. Every failure is `application/problem+json` (RFC 9457) with a stable `code`.
"""


class _AnythingConvertor(Convertor[str]):
    """The rest of a path, line breaks too: in Starlette's own ``path`` a dot means anything else."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        """As it is."""
        return value

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


register_url_convertor("anything", _AnythingConvertor())
ROUTES = ("/upload", "/uploaded_images/{filename:anything}", "/predict", "/predict_optimized", "/api/{path:anything}")


def create_api(
    store: StackStore,
    registry: ModelRegistry,
    settings: Settings,
    service: RecognitionService,
    base_path: str = "",
    *,
    teaching: TeachingService | None = None,
    evaluation: EvaluationService | None = None,
    roots: StackRoots | None = None,
    outcomes: Outcomes | None = None,
    people: People | None = None,
) -> FastAPI:
    """The application with all routes, to be reached below ``base_path`` (``""``, or with a leading slash).

    Without ``teaching`` it has a service of its own, which installs nothing; without ``evaluation`` too.
    Without ``outcomes`` it opens folders of this machine as ``roots`` says, without those none.
    Without ``people`` it tells nobody whose images they are.
    """
    teaching = teaching or TeachingService(settings, service, registry, store.folder / "taught")
    # The page of the documentation works without the internet too: its scripts come from here.
    api = FastAPIOffline(
        title="AI Image Stack Recognizer",
        version=VERSION,
        description=DESCRIPTION,
        docs_url="/api/docs",
        static_url="/api/docs-files",
        swagger_ui_oauth2_redirect_url="/api/docs/oauth2-redirect",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        root_path=base_path,
        responses=ANY_FAILURE,
    )
    metrics = Metrics(store, service.queue)
    predictions = PredictionThreads(service, settings, metrics)
    threads = ImageThreads(settings, store.memory, store.answers)
    add_problem_handlers(api)
    describe_problems(api)
    api.add_middleware(HttpMannersMiddleware)
    api.add_middleware(BodyLimitMiddleware)
    api.add_middleware(StoppingMiddleware)
    api.add_middleware(TrafficMiddleware, metrics=metrics)
    if settings.cors_origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=[origin.strip() for origin in settings.cors_origins.split(",")],
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Content-Type", "If-None-Match", "Range", *TUS_HEADERS],
            expose_headers=[
                *("Content-Range", "ETag", "Location", "Retry-After", "X-Image-Shape", "X-Image-Dtype"),
                *TUS_HEADERS,
            ],
        )
    api.include_router(service_router(registry, metrics))
    unpacking = CapacityLimiter(UNPACKING_AT_ONCE)
    api.include_router(short_routes(store, registry, predictions, threads, settings, unpacking))
    api.include_router(stacks_router(store, registry, service, predictions, settings, unpacking))
    api.include_router(resumable_router(store, settings, unpacking))
    api.include_router(teaching_router(store, teaching))
    api.include_router(live_teaching_router(store, teaching))
    api.include_router(evaluations_router(store, registry, teaching, evaluation or EvaluationService(service)))
    api.include_router(files_router(store.files, settings))
    outcomes = outcomes or Outcomes(settings, store, roots or StackRoots(settings), registry, service)
    api.include_router(folders_router(outcomes))
    api.include_router(images_router(store, threads))
    api.include_router(people_router(store, people or People(settings)))
    api.include_router(explanations_router(store, registry, service, Explainer(service.queue), predictions, threads))
    return api
