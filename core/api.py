"""The HTTP door: the same stacks, models and recognition as the pages, for programs and for the pages' images.

Full paths are declared here because two families share one application: the short doors (``/upload``,
``/uploaded_images``, ``/predict``, ``/predict_optimized``) and everything below ``/api``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import Cookie, FastAPI, File, Header, Query, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from core.errors import AppError, ImageNotFound, InvalidRequest, ModelError, NotAZip, StackNotFound
from core.models import ModelRegistry
from core.recognize import recognize
from core.results import ENGINE_LABELS, EngineName, Prediction
from core.settings import Settings
from core.stack import ImageStack
from core.store import StackStore
from core.values import pack

STACK_COOKIE = "aisr_stack"
DOORS = ("/upload", "/uploaded_images/{filename:path}", "/predict", "/predict_optimized", "/api/{path:path}")
# A stack never changes and its id is never used again, so whatever is read from it may be kept for ever.
IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


class SkippedEntry(BaseModel):
    """A file of the ZIP that is not part of the stack."""

    name: str
    code: str
    reason: str


class UploadAnswer(BaseModel):
    """What came in."""

    stack_id: str
    num_images: int
    filenames: list[str]
    resolutions: list[tuple[int, int]] = Field(description="[width, height] of each image, in the order of filenames")
    skipped: list[SkippedEntry]


class PredictRequest(BaseModel):
    """Which images of which stack."""

    filenames: list[str] = []
    batch_size: int | None = Field(None, ge=1, description="images per inference call; measured when left out")
    stack_id: str | None = Field(None, description="left out, the stack of the client's cookie is meant")


class PredictAnswer(BaseModel):
    """One image's answer; ``class`` is ``"error"`` where there is none."""

    filename: str
    label: str = Field(serialization_alias="class")
    confidence: float = Field(description="softmax probability, 0..1")
    error: str | None = Field(None, exclude_if=lambda value: value is None)


class StackAnswers(BaseModel):
    """What has been recognised in a stack: position -> [class, confidence, engine, model] of each engine that ran."""

    results: dict[int, list[tuple[str, float, str, str]]]


class StackIndex(BaseModel):
    """A stack's images, in order, each as [name, width, height, kind of pixels, bytes]."""

    stack_id: str
    name: str
    images: list[tuple[str, int, int, str, int]]
    skipped: list[SkippedEntry]


def create_api(store: StackStore, registry: ModelRegistry, settings: Settings) -> FastAPI:
    """The application with all routes; it keeps no state of its own."""
    api = FastAPI(
        title="AI Image Stack Recognizer",
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        exception_handlers={
            AppError: _app_error,
            RequestValidationError: _validation_error,
            HTTPException: _http_error,
        },
    )
    _add_health(api, registry)
    _add_doors(api, store, registry, settings)
    _add_stacks(api, store)
    return api


def _add_health(api: FastAPI, registry: ModelRegistry) -> None:
    @api.get("/api/health/live", tags=["health"])
    def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @api.get("/api/health/ready", tags=["health"])
    def ready(response: Response) -> dict[str, str]:
        """The default model is loaded: predictions are answered at once."""
        with suppress(ModelError):
            if registry.get().is_loaded("openvino-int8"):
                return {"status": "ready"}
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return {"status": "starting"}


def _add_doors(api: FastAPI, store: StackStore, registry: ModelRegistry, settings: Settings) -> None:
    @api.post("/upload", tags=["recognition"])
    def upload(
        request: Request, response: Response, file: Annotated[UploadFile | None, File(description="ZIP of PNGs")] = None
    ) -> UploadAnswer:
        """Open a ZIP of PNG images as a stack; the cookie in the answer lets the next calls find it."""
        if file is None:
            raise InvalidRequest("No file provided")
        name = PurePosixPath(file.filename or "").name
        if not name.lower().endswith(".zip"):
            raise NotAZip("Only .zip files are allowed")
        stack = store.create(file.file, name)
        response.set_cookie(
            STACK_COOKIE,
            stack.id,
            max_age=settings.stack_ttl_seconds,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return UploadAnswer(
            stack_id=stack.id,
            num_images=len(stack),
            filenames=[entry.name for entry in stack.entries],
            resolutions=[(entry.header.width, entry.header.height) for entry in stack.entries],
            skipped=_skipped(stack),
        )

    @api.get("/uploaded_images/{filename:path}", tags=["recognition"], response_class=Response)
    def uploaded_image(
        filename: str,
        stack_id: Annotated[str | None, Query()] = None,
        cookie: Annotated[str | None, Cookie(alias=STACK_COOKIE)] = None,
    ) -> Response:
        """An image of the client's stack, exactly as it was uploaded."""
        stack = _find_stack(store, stack_id, cookie)
        data = stack.original(stack.find(filename))
        # The same path means another image once the client opens another stack, so it is not cached.
        return Response(data, media_type="image/png", headers=IMMUTABLE | {"Cache-Control": "private, no-cache"})

    def predict_with(engine: EngineName) -> Callable[..., list[PredictAnswer]]:
        def predict(
            body: PredictRequest, cookie: Annotated[str | None, Cookie(alias=STACK_COOKIE)] = None
        ) -> list[PredictAnswer]:
            if not body.filenames:
                raise InvalidRequest("No filenames provided")
            stack = _find_stack(store, body.stack_id, cookie)
            found = {name: index for name in body.filenames if (index := _position(stack, name)) is not None}
            result = recognize(
                stack, list(found.values()), registry.get(), engine, settings, batch_size=body.batch_size or 0
            )
            answers = dict(zip(found, result.predictions, strict=True))
            return [_answer(name, answers.get(name)) for name in body.filenames]

        return predict

    api.post("/predict", tags=["recognition"], summary="Recognise images with PyTorch in FP32")(
        predict_with("pytorch-fp32")
    )
    api.post("/predict_optimized", tags=["recognition"], summary="Recognise images with OpenVINO in INT8")(
        predict_with("openvino-int8")
    )


def _add_stacks(api: FastAPI, store: StackStore) -> None:
    @api.get("/api/v1/stacks/{stack_id}", tags=["stacks"])
    def index(stack_id: str, response: Response) -> StackIndex:
        """What is in a stack."""
        stack = store.get(stack_id)
        response.headers.update(IMMUTABLE)
        images = [
            (entry.name, entry.header.width, entry.header.height, entry.header.description, entry.file_size)
            for entry in stack.entries
        ]
        return StackIndex(stack_id=stack.id, name=stack.name, images=images, skipped=_skipped(stack))

    @api.get("/api/v1/stacks/{stack_id}/results", tags=["stacks"])
    def results(stack_id: str, response: Response) -> StackAnswers:
        """What has been recognised so far, by position; unreadable images have no answer."""
        response.headers["Cache-Control"] = "no-store"
        found = store.get(stack_id).results.by_image()
        return StackAnswers(
            results={
                index: [
                    (one.label, one.confidence, ENGINE_LABELS[one.engine], one.model)
                    for one in predictions
                    if one.error is None
                ]
                for index, predictions in found.items()
            }
        )

    @api.get("/api/v1/stacks/{stack_id}/images/{index}", tags=["stacks"], response_class=Response)
    def original(stack_id: str, index: int) -> Response:
        """An image as it was uploaded."""
        return Response(store.get(stack_id).original(index), media_type="image/png", headers=IMMUTABLE)

    @api.get("/api/v1/stacks/{stack_id}/images/{index}/display", tags=["stacks"], response_class=Response)
    def display(stack_id: str, index: int) -> Response:
        """An image any browser shows as the model sees it: 16-bit values are scaled to 8."""
        return Response(store.get(stack_id).rendered(index), media_type="image/png", headers=IMMUTABLE)

    @api.get("/api/v1/stacks/{stack_id}/images/{index}/values", tags=["stacks"], response_class=Response)
    def values(stack_id: str, index: int, accept_encoding: Annotated[str, Header()] = "") -> Response:
        """The samples of an image, unscaled: little-endian rows, their shape and type in ``X-Image-*`` headers."""
        body, headers = pack(store.get(stack_id).values(index), gzip="gzip" in accept_encoding)
        return Response(body, media_type="application/octet-stream", headers=IMMUTABLE | headers)

    @api.get("/api/v1/stacks/{stack_id}/images/{index}/thumbnail", tags=["stacks"], response_class=Response)
    def thumbnail(stack_id: str, index: int) -> Response:
        """A small JPEG of an image."""
        return Response(store.get(stack_id).thumbnail(index), media_type="image/jpeg", headers=IMMUTABLE)


def _find_stack(store: StackStore, explicit: str | None, cookie: str | None) -> ImageStack:
    stack_id = explicit or cookie
    if not stack_id:
        raise StackNotFound("No stack is open. Upload a ZIP first.")
    return store.get(stack_id)


def _position(stack: ImageStack, filename: str) -> int | None:
    try:
        return stack.find(filename)
    except ImageNotFound:
        return None


def _answer(filename: str, prediction: Prediction | None) -> PredictAnswer:
    if prediction is None:
        return PredictAnswer(filename=filename, label="error", confidence=0.0, error="File not found")
    return PredictAnswer(
        filename=filename, label=prediction.label, confidence=prediction.confidence, error=prediction.error
    )


def _skipped(stack: ImageStack) -> list[SkippedEntry]:
    return [SkippedEntry(name=entry.name, code=entry.code, reason=entry.reason) for entry in stack.skipped]


def _problem(status: int, code: str, detail: str) -> JSONResponse:
    """Every failure in one shape: RFC 9457 problem details with a stable ``code``."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return JSONResponse(content, status, media_type="application/problem+json")


async def _app_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AppError)  # noqa: S101 - registered for AppError only
    return _problem(error.status, error.code, str(error))


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for HTTPException only
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return _problem(error.status_code, code, str(error.detail))


async def _validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for RequestValidationError only
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return _problem(HTTPStatus.BAD_REQUEST, InvalidRequest.code, f"{place}: {first['msg']}")
