"""A limit for the bodies of requests, which are read into memory; uploads go to disk and have limits of their own."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.base.settings import MIB

MAX_BODY_BYTES = 8 * MIB  # the names of 20,000 images with room to spare
_LIFTED = "aisr.body_limit_lifted"


def lift_body_limit(scope: Scope) -> None:
    """For a route that reads its body piece by piece and keeps it within limits itself."""
    scope[_LIFTED] = True


class BodyLimitMiddleware:
    """Refuses the rest of a body that passes ``MAX_BODY_BYTES``, counted on what really arrives."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES and not scope.get(_LIFTED):
                # The one kind of exception that FastAPI lets through while it reads a body.
                raise HTTPException(413, f"The request is larger than the {MAX_BODY_BYTES // MIB} MB it may have.")
            return message

        await self._app(scope, limited if scope["type"] == "http" else receive, send)
