"""Files that are no stacks: weights of a model, for the page that makes a model of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from core.api.clients import client_of
from core.api.problems import responses
from core.api.receive import WEIGHTS_ENDINGS, receive_file
from core.api.schemas.stacks import FileAnswer
from core.base.settings import Settings
from core.stacks.files import FileStore

_BODY: dict[str, Any] = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}

NAME_PATTERN = rf"\.({'|'.join(ending.removeprefix('.') for ending in WEIGHTS_ENDINGS)})$"


def files_router(files: FileStore, settings: Settings) -> APIRouter:
    """``/api/v1/files``."""
    router = APIRouter(prefix="/api/v1/files", tags=["models"])

    @router.post(
        "",
        status_code=201,
        responses=responses(400, 408, 413, 415, 429, 503, 507),
        openapi_extra={"requestBody": _BODY},
    )
    async def create(
        request: Request,
        name: Annotated[
            str,
            Query(
                max_length=255,
                description="what it is called; its ending says what it is",
                json_schema_extra={"pattern": NAME_PATTERN},
            ),
        ],
    ) -> FileAnswer:
        """Send weights for a model of your own; a page uses them. They are kept for an hour, under the id returned."""
        kept = await receive_file(request, files, client_of(request), name, settings.max_weights_bytes)
        return FileAnswer(file_id=kept.file_id, size=kept.size)

    return router
