"""What happens to every request of the API on its way through: counted, timed, logged."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.api.metrics import Metrics
from core.base.logs import ID_SHOWN

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

_log = logging.getLogger(__name__)


class TrafficMiddleware:
    """Counts and times requests by route, and logs one line for each: no file name, no whole stack id."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        answered = started

        async def watch(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], time.perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            # The template of the route, never the address itself: it holds ids and names, and there is no end of them.
            route = getattr(scope.get("route"), "path", "unmatched")
            # Anybody can invent methods without end, and each would be kept for ever.
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.requests.labels(method, route, status).inc()
            self._metrics.seconds.labels(route).observe(max(answered - started, 0))
            stack = str(scope.get("path_params", {}).get("stack_id", ""))[:ID_SHOWN]
            level = logging.DEBUG if scope["method"] == "GET" and status < 400 else logging.INFO
            _log.log(
                level,
                "request method=%s route=%s status=%d ms=%.1f%s",
                method,
                route,
                status,
                1000 * (time.perf_counter() - started),
                f" stack={stack}" if stack else "",
            )
