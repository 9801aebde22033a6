"""Every failure of the API in one shape: RFC 9457 problem details with a stable ``code``."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from core.base.errors import AppError, InvalidRequest

MEDIA_TYPE = "application/problem+json"
_CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
ANY_FAILURE: dict[int | str, dict[str, Any]] = {"default": {"description": "Any failure", "content": _CONTENT}}

# Failures that happen before a route is reached. Python's names of statuses differ between its versions.
FRAMEWORK_CODES = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    416: "range_not_satisfiable",
}

_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """What a failed request is answered with."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(description="the status in words", examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="a sentence that says what to do")
    code: str = Field(description="stable, for programs", examples=["stack_not_found"])


def problem_response(error: AppError) -> JSONResponse:
    """The answer to a request that failed with ``error``."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return _problem(error.status, error.code, str(error), headers)


def add_problem_handlers(api: FastAPI) -> None:
    """Answer every failure of ``api`` in this shape."""
    api.add_exception_handler(AppError, _app_error)
    api.add_exception_handler(RequestValidationError, _validation_error)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(Exception, _unexpected)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented failures of a route, for its ``responses``."""
    return {status: {"description": HTTPStatus(status).phrase, "content": _CONTENT} for status in sorted(statuses)}


def describe_problems(api: FastAPI) -> None:
    """Add the shape of failures, to which ``responses`` refers, to the description of ``api``."""
    describe = api.openapi

    def described() -> dict[str, Any]:
        document = describe()
        document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        return document

    api.openapi = described  # type: ignore[method-assign]


def _problem(status: int, code: str, detail: str, headers: dict[str, str]) -> JSONResponse:
    body = Problem(type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=detail, code=code)
    return JSONResponse(body.model_dump(), status, headers, media_type=MEDIA_TYPE)


async def _app_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AppError)  # noqa: S101 - registered for AppError only
    return problem_response(error)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for HTTPException only
    code = FRAMEWORK_CODES.get(error.status_code, "http_error")
    return _problem(error.status_code, code, str(error.detail), dict(error.headers or {}))


async def _validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for RequestValidationError only
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return _problem(HTTPStatus.BAD_REQUEST, InvalidRequest.code, f"{place}: {first['msg']}", {})


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    """Nothing of the inside is told; the log has it (Starlette raises the error again after this answer)."""
    _log.error("Unexpected %s", type(error).__name__)
    return _problem(500, AppError.code, "Something went wrong on the server. Try again, or with fewer images.", {})
