"""What HTTP asks of every route, in one place: HEAD beside GET, and redirects that name no host."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HttpMannersMiddleware:
    """Answers HEAD like GET (the server leaves the body out), and makes the address of a redirect relative.

    Starlette makes a redirect's address of the ``Host`` header, which whoever sends the request may write.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}

        async def relative(message: Message) -> None:
            if message["type"] == "http.response.start" and 300 <= message["status"] < 400:
                headers = [(name, _path(value) if name == b"location" else value) for name, value in message["headers"]]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, relative)


def _path(address: bytes) -> bytes:
    parts = urlsplit(address)
    path = b"/" + parts.path.lstrip(b"/")  # two slashes would begin the name of a host
    return path + b"?" + parts.query if parts.query else path
