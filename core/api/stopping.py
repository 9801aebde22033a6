"""Requests that are still running when the server has waited for them long enough to stop."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.api.problems import problem_response
from core.base.errors import Busy


class StoppingMiddleware:
    """Answers a request that the server cancels, which happens at its end only: 503, where nothing was sent yet.

    The server itself would say 500, and a client could not know that the same request will work elsewhere or later.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except asyncio.CancelledError:
            if begun or scope["type"] != "http":
                raise
            await problem_response(Busy("The server is shutting down. Try again in a minute."))(scope, receive, send)
