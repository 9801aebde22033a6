"""How often a client may ask, and how much the server takes on at once."""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict

from starlette.types import ASGIApp, Receive, Scope, Send

from core.api.client_names import client_name
from core.api.edge.refusals import refuse
from core.base.settings import Settings

_UPLOADS = frozenset({"/upload", "/api/v1/stacks", "/api/v1/files", "/api/v1/folders", "/api/v1/uploads"})
# Clients that are remembered; the one not seen for longest is forgotten, which only ever lets it ask again.
MAX_CLIENTS = 10_000
MINUTE = 60.0
_TOO_OFTEN = "Too many requests from your address. Try again in {seconds} seconds."
_BUSY = "The server has as much to do as it takes on. Try again in a few seconds."


class Rate:
    """So many times a minute for each client; a whole minute's worth may come at once (a token bucket).

    One number a client in a table of fixed size: a library's counters in memory are walked through whole to find the
    expired ones, and addresses are something an attacker has many of.
    """

    def __init__(self, per_minute: int, *, max_clients: int = MAX_CLIENTS) -> None:
        self._step = MINUTE / per_minute
        self._max_clients = max_clients
        self._paid_until: OrderedDict[str, float] = OrderedDict()

    def hit(self, client: str, now: float) -> float:
        """Count one more at ``now`` (seconds of a steady clock); 0, or the seconds until it would be allowed."""
        until = max(self._paid_until.pop(client, now), now) + self._step
        wait = max(until - now - MINUTE, 0.0)
        self._paid_until[client] = until - self._step if wait else until
        if len(self._paid_until) > self._max_clients:
            self._paid_until.popitem(last=False)
        return wait


class RatesMiddleware:
    """Refuses clients that ask too often (429), and those with more than their share while there is too much (503).

    Once as many requests run as may, a client gets no more than its equal part of them: whoever holds them all by
    asking without end keeps nobody else out who has one or two.

    Nothing here waits, so that a refusal costs next to nothing.
    """

    def __init__(self, app: ASGIApp, settings: Settings, base_path: str, open_paths: frozenset[str]) -> None:
        self._app = app
        self._base_path = base_path
        self._open_paths = open_paths
        self._uploads = Rate(settings.uploads_per_minute)
        self._recognitions = Rate(settings.recognitions_per_minute)
        self._sessions = Rate(settings.sessions_per_minute)
        self._requests = Rate(settings.requests_per_minute)
        self._most = settings.max_requests
        self._running: Counter[str] = Counter()  # only of clients with any

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        rate = self._rate(scope)
        if rate is None:
            await self._app(scope, receive, send)
            return
        client = client_name(scope["client"][0] if scope.get("client") else None)
        wait = math.ceil(rate.hit(client, time.monotonic()))
        if wait:
            detail = _TOO_OFTEN.format(seconds=wait)
            await refuse(scope, send, "too_many_requests", detail, {"Retry-After": str(wait)})
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        elif self._is_too_much(client):
            await refuse(scope, send, "busy", _BUSY, {"Retry-After": "5"})
        else:
            self._running[client] += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._running[client] -= 1
                if not self._running[client]:
                    del self._running[client]

    def _is_too_much(self, client: str) -> bool:
        """Whether as many requests run as may, and its part of them are this client's."""
        if self._running.total() < self._most:
            return False
        clients = len(self._running) + (client not in self._running)
        return self._running[client] >= self._most // clients

    def _rate(self, scope: Scope) -> Rate | None:
        """The rate that a request counts for; None for pages' own files and for probes."""
        if scope["type"] == "websocket":
            return self._sessions
        if scope["type"] != "http" or scope["path"] in self._open_paths:
            return None
        path = scope["path"].removeprefix(self._base_path)
        if scope["method"] in ("POST", "PUT"):
            if path in _UPLOADS or path.startswith("/_stcore/upload_file/"):
                return self._uploads
            if path in ("/predict", "/predict_optimized") or path.endswith(("/predictions", "/evaluations")):
                return self._recognitions
        return self._requests if path.startswith(("/api/", "/upload", "/predict")) else None
