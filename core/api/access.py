"""Optional protection of the whole app, pages and API alike: a shared secret, or a proxy that says who it is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import math
import time
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.api.client_names import client_name
from core.api.edge.refusals import refuse
from core.base.settings import Settings

ACCESS_COOKIE = "aisr_access"
OPEN_PATHS = (
    "/api/health/live",
    "/api/health/ready",
    "/_stcore/health",
)  # they tell nothing, and probes have no secret
CHALLENGE = 'Basic realm="AI Image Stack Recognizer", charset="UTF-8"'
# A wrong password is answered the later, the more there were: 0.2 s, 0.4 s, ... so that trying many takes long.
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.2, 5.0
MAX_CLIENTS = 10_000  # remembered for their wrong passwords; the one not seen for longest is forgotten
_NEEDED = "This server asks for a password. Give it as HTTP Basic or Bearer authorization."
_BANNED = "Too many wrong passwords from your address. Try again in {seconds} seconds."

_log = logging.getLogger(__name__)


class WrongPasswords:
    """Counts them by client; after ``most`` a client is kept out until ``seconds`` have gone since its last one."""

    def __init__(self, most: int, seconds: float, *, max_clients: int = MAX_CLIENTS) -> None:
        self._most = most
        self._seconds = seconds
        self._max_clients = max_clients
        self._clients: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, client: str, now: float) -> float:
        """Seconds for which ``client`` may not try again; 0 where it may."""
        count, last = self._clients.get(client, (0, now))
        return max(last + self._seconds - now, 0.0) if count >= self._most else 0.0

    def add(self, client: str, now: float) -> int:
        """Count one more; returns how many there were lately."""
        count, last = self._clients.pop(client, (0, now))
        count = 1 if now - last > self._seconds else count + 1
        self._clients[client] = (count, now)
        if len(self._clients) > self._max_clients:
            self._clients.popitem(last=False)
        return count

    def forget(self, client: str) -> None:
        """It has found the right one."""
        self._clients.pop(client, None)


class AccessMiddleware:
    """Lets a request through if it has the secret of ``settings.access_token``, or ``settings.access_header``.

    A browser asks its person (HTTP Basic, any user name; RFC 7617) and gets a cookie, which it sends with WebSockets
    too, where some browsers leave the password out. A program sends ``Authorization: Bearer SECRET`` (RFC 6750).
    Who has tried too many wrong ones must wait; a cookie goes on working, since a whole office may share an address.
    """

    def __init__(self, app: ASGIApp, settings: Settings, open_paths: frozenset[str] = frozenset(OPEN_PATHS)) -> None:
        self._app = app
        self._open_paths = open_paths
        self._wrong = WrongPasswords(settings.sign_in_attempts, settings.sign_in_ban_seconds)
        self._token = settings.access_token
        self._header = settings.access_header
        # What the cookie holds is made from the secret, and does not reveal it.
        self._pass = hmac.new(self._token.encode(), b"aisr access cookie", hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._header and not headers.get(self._header):
            await refuse(scope, send, "unauthorized", _NEEDED)
        elif not self._token or self._knows(headers.get("cookie", "")):
            await self._app(scope, receive, send)
        elif authorization := headers.get("authorization"):
            await self._try(authorization, scope, receive, send)
        else:
            await _challenge(scope, send)

    async def _try(self, authorization: str, scope: Scope, receive: Receive, send: Send) -> None:
        client = client_name(scope["client"][0] if scope.get("client") else None)
        wait = math.ceil(self._wrong.wait(client, time.monotonic()))
        if wait:
            detail = _BANNED.format(seconds=wait)
            await refuse(scope, send, "too_many_attempts", detail, {"Retry-After": str(wait)})
        elif self._may(authorization):
            self._wrong.forget(client)
            await self._app(scope, receive, self._with_cookie(scope, send))
        else:
            count = self._wrong.add(client, time.monotonic())
            _log.warning("sign-in refused client=%s attempts=%d", client, count)
            await anyio.sleep(min(FIRST_DELAY_SECONDS * 2 ** (count - 1), LONGEST_DELAY_SECONDS))
            await _challenge(scope, send)

    def _knows(self, cookies: str) -> bool:
        try:
            cookie = SimpleCookie(cookies).get(ACCESS_COOKIE)
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, self._pass)

    def _may(self, authorization: str) -> bool:
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                credentials = base64.b64decode(credentials, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif scheme.lower() != "bearer":
            return False
        return _same(credentials.strip(), self._token)

    def _with_cookie(self, scope: Scope, send: Send) -> Send:
        secure = "; Secure" if scope.get("scheme") in ("https", "wss") else ""
        cookie = f"{ACCESS_COOKIE}={self._pass}; Path=/; HttpOnly; SameSite=Lax{secure}"

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        return send_with_cookie


def _same(given: str, expected: str) -> bool:
    """Compare in a time that does not tell how much is right."""
    return hmac.compare_digest(given.encode(), expected.encode())


async def _challenge(scope: Scope, send: Send) -> None:
    await refuse(scope, send, "unauthorized", _NEEDED, {"WWW-Authenticate": CHALLENGE})
