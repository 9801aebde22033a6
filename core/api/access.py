"""Optional protection of the whole app, pages and API alike: a shared secret, or a proxy that says who it is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.base.settings import Settings

ACCESS_COOKIE = "aisr_access"
OPEN_PATHS = (
    "/api/health/live",
    "/api/health/ready",
    "/_stcore/health",
)  # they tell nothing, and probes have no secret
_REFUSAL = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "detail": "This server asks for a password. Give it as HTTP Basic or Bearer authorization.",
    "code": "unauthorized",
}
_POLICY_VIOLATION = 1008  # WebSocket close code (RFC 6455, 7.4.1)


class AccessMiddleware:
    """Lets a request through if it has the secret of ``settings.access_token``, or ``settings.access_header``.

    A browser asks its person (HTTP Basic, any user name; RFC 7617) and gets a cookie, which it sends with WebSockets
    too, where some browsers leave the password out. A program sends ``Authorization: Bearer SECRET`` (RFC 6750).
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._token = settings.access_token
        self._header = settings.access_header
        # What the cookie holds is made from the secret, and does not reveal it.
        self._pass = hmac.new(self._token.encode(), b"aisr access cookie", hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket") or scope["path"].endswith(OPEN_PATHS):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._header and not headers.get(self._header):
            await _refuse(scope, send, challenge=False)
        elif not self._token or self._knows(headers.get("cookie", "")):
            await self._app(scope, receive, send)
        elif self._may(headers.get("authorization", "")):
            await self._app(scope, receive, self._with_cookie(scope, send))
        else:
            await _refuse(scope, send, challenge=True)

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


async def _refuse(scope: Scope, send: Send, *, challenge: bool) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return
    headers = [(b"content-type", b"application/problem+json")]
    if challenge:
        headers.append((b"www-authenticate", b'Basic realm="AI Image Stack Recognizer", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(_REFUSAL).encode()})
