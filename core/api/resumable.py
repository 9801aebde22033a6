"""Uploads that can be resumed, by tus 1.0.0 (https://tus.io/protocols/resumable-upload).

Of its extensions: creation, and termination.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Request, Response
from starlette.requests import ClientDisconnect

from core.api.body_limit import lift_body_limit
from core.api.clients import client_of
from core.api.file_form import file_name
from core.api.problems import responses
from core.api.receive import PIECE_BYTES, pump, stack_address
from core.base.errors import Cancelled, InvalidRequest, LimitExceeded, OffsetConflict, UnsupportedType
from core.base.settings import Settings
from core.stacks.resumable import Resumable
from core.stacks.store import StackStore
from core.stacks.upload import too_large

VERSION = "1.0.0"
TUS_HEADERS = ("Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Offset")
PIECE_TYPE = "application/offset+octet-stream"
_PIECE: dict[str, Any] = {
    "required": True,
    "content": {PIECE_TYPE: {"schema": {"type": "string", "format": "binary"}}},
}
_MAX_METADATA = 4096  # characters


def resumable_router(store: StackStore, settings: Settings, unpacking: CapacityLimiter) -> APIRouter:
    """``/api/v1/uploads``."""
    router = APIRouter(prefix="/api/v1/uploads", tags=["stacks"])
    uploads = store.resumable

    @router.post("", status_code=201, response_class=Response, responses=responses(400, 413, 429, 503, 507))
    async def create(
        request: Request,
        upload_length: Annotated[int, Header(ge=1, description="bytes of the whole file")],
        upload_metadata: Annotated[
            str, Header(max_length=_MAX_METADATA, description="`filename` and the name in base64")
        ] = "",
    ) -> Response:
        """Begin an upload that can be resumed; its address is in `Location`."""
        if upload_length > settings.max_upload_bytes:
            raise LimitExceeded(too_large(settings.max_upload_bytes))
        name = file_name(_name(upload_metadata) or "stack.zip")
        made = await run_sync(uploads.create, client_of(request), name, upload_length)
        return _answer(201, made, {"Location": f"{request.url.path}/{made.upload_id}"})

    @router.get("/{upload_id}", status_code=200, response_class=Response, responses=responses(404))
    def state(upload_id: str) -> Response:
        """How much has arrived, in `Upload-Offset`."""
        return _answer(200, uploads.get(upload_id), {"Cache-Control": "no-store"})

    @router.patch(
        "/{upload_id}",
        status_code=204,
        response_class=Response,
        responses=responses(400, 404, 408, 409, 413, 415, 422, 423, 429, 503, 507),
        openapi_extra={"requestBody": _PIECE},
    )
    async def append(
        request: Request,
        upload_id: str,
        upload_offset: Annotated[int, Header(ge=0, description="how much has arrived, as `HEAD` says")],
    ) -> Response:
        """Send what is missing, all or the next part. After the last byte `Location` is the new stack."""
        lift_body_limit(request.scope)
        if request.headers.get("content-type", "") != PIECE_TYPE:
            raise UnsupportedType("Send the bytes with the content type that tus has for them.")
        with uploads.held(upload_id) as held:
            if upload_offset != held.upload.size:
                raise OffsetConflict(f"{held.upload.size:,} bytes have arrived: go on from there.")
            try:
                await pump(request.stream(), held.write, PIECE_BYTES)
            except ClientDisconnect as error:  # what has been written stays
                raise Cancelled("The upload broke off; it can go on.") from error
            answer = _answer(204, held, {})
            if held.upload.size == held.length:
                limiter = unpacking if await run_sync(held.must_unpack) else None
                stack = await run_sync(uploads.finish, upload_id, limiter=limiter)
                answer.headers["Location"] = stack_address(request, "uploads", stack)
            return answer

    @router.delete("/{upload_id}", status_code=204, responses=responses(404))
    def cancel(upload_id: str) -> None:
        """Cancel an upload; what has arrived is deleted."""
        uploads.get(upload_id)
        uploads.delete(upload_id)

    return router


def _answer(status: int, found: Resumable, headers: dict[str, str]) -> Response:
    told = {
        "Tus-Resumable": VERSION,
        "Upload-Offset": str(found.upload.size),
        "Upload-Length": str(found.length),
    }
    return Response(status_code=status, headers=told | headers)


def _name(metadata: str) -> str:
    """The file's name in pairs of key and base64, which stand between commas."""
    for pair in metadata.split(","):
        key, _, value = pair.strip().partition(" ")
        if key == "filename":
            try:
                return base64.b64decode(value, validate=True).decode("utf-8", "replace")
            except (binascii.Error, ValueError) as error:
                raise InvalidRequest("The name in “Upload-Metadata” is not in base64.") from error
    return ""
