"""How the edge says no: the API's shape of a failure, written without the framework that has not been reached yet."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.types import Scope, Send

MEDIA_TYPE = b"application/problem+json"
# What the edge refuses by itself; docs/api.md says what each means.
CODES = {
    "invalid_request": 400,
    "unauthorized": 401,
    "cross_site": 403,
    "request_timed_out": 408,
    "upload_timed_out": 408,
    "misdirected_request": 421,
    "too_many_attempts": 429,
    "too_many_requests": 429,
    "headers_too_large": 431,
    "busy": 503,
}
_POLICY_VIOLATION = 1008  # WebSocket close code (RFC 6455, 7.4.1)


def problem(code: str, detail: str) -> bytes:
    """The body of a refusal (RFC 9457), as ``core.api.problems`` would write it."""
    status = CODES[code]
    title = HTTPStatus(status).phrase
    fields = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
    return json.dumps(fields).encode()


async def refuse(scope: Scope, send: Send, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
    """Answer a request, or a WebSocket that has not been accepted, with a failure."""
    kind = "http"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        kind = "websocket.http"
    body = problem(code, detail)
    fields = [(b"content-type", MEDIA_TYPE), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    fields += [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    await send({"type": f"{kind}.response.start", "status": CODES[code], "headers": fields})
    await send({"type": f"{kind}.response.body", "body": body})
