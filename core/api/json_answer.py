"""Answers that may list thousands of things."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from anyio.to_thread import run_sync
from fastapi import Response
from pydantic import BaseModel


async def json_answer(make: Callable[[], BaseModel], status: int, headers: Mapping[str, str] | None = None) -> Response:
    """What ``make`` makes, as JSON: made and written in a thread, beside which others are served."""
    body = await run_sync(lambda: make().model_dump_json())
    return Response(body, status, headers, "application/json")
