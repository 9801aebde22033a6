"""Requests that other web sites have a visitor's browser make, and names that are not this server's."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from core.api.edge.refusals import refuse
from core.base.settings import Settings, split_list

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, 9.2.1: they change nothing
_FOREIGN = "This request comes from a page of another web site, and those may not change anything here."
_MISNAMED = "This server is not asked for under that name. Whoever runs it can add the name to AISR_ALLOWED_HOSTS."


class CrossSiteMiddleware:
    """Refuses what a browser says another site has caused, and what asks for another host.

    Unsafe methods and WebSockets, by the rules of Go's ``http.CrossOriginProtection``: the browser's ``Sec-Fetch-Site``
    decides, or else its ``Origin`` against the request's host. Programs send neither and are let through: no cookie or
    password of a visitor is theirs to misuse. Sites of ``settings.cors_origins`` may.
    """

    def __init__(self, app: ASGIApp, settings: Settings, open_paths: frozenset[str]) -> None:
        self._app = app
        self._hosts = [host.lower() for host in split_list(settings.allowed_hosts)]
        self._origins = set(split_list(settings.cors_origins))
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] in ("http", "websocket"):
            headers = Headers(scope=scope)
            # Probes ask for an address, whatever the server is called.
            if not self._named(headers.get("host", "")) and scope["path"] not in self._open_paths:
                await refuse(scope, send, "misdirected_request", _MISNAMED)
                return
            if scope.get("method") not in SAFE_METHODS and self._foreign(headers):
                await refuse(scope, send, "cross_site", _FOREIGN)
                return
        await self._app(scope, receive, send)

    def _named(self, host: str) -> bool:
        if not self._hosts:
            return True
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return any(name == one or (one.startswith("*.") and name.endswith(one[1:])) for one in self._hosts)

    def _foreign(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin in self._origins:
            return False
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in ("same-origin", "none")
        return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
