"""Which browser asks: a cookie of its own lets a page that is loaded again find what that browser has open."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.base.settings import Settings, split_list

NAME = "aisr_browser"
SECURE_NAME = f"__Host-{NAME}"  # other hosts of the domain cannot set a cookie of such a name (RFC 6265bis)
TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class BrowserCookieMiddleware:
    """Gives each browser that loads a page a cookie, and renews it for as long as stacks are kept.

    Scripts of the page do not get at it, and other sites cannot have it sent, unless the operator lets them frame the
    pages: then it goes to the frame, in a jar of that site's own (CHIPS).
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._seconds = settings.stack_ttl_seconds
        self._framed = bool(split_list(settings.frame_ancestors))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        token = browser_of(_cookies(scope)) or secrets.token_urlsafe(TOKEN_BYTES)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and _loads_a_page(scope, message):
                cookie = self._cookie(token, secure=scope["scheme"] == "https")
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_cookie)

    def _cookie(self, token: str, *, secure: bool) -> str:
        text = f"{SECURE_NAME if secure else NAME}={token}; Path=/; HttpOnly; Max-Age={self._seconds}"
        if secure and self._framed:
            return f"{text}; Secure; SameSite=None; Partitioned"
        return f"{text}; SameSite=Lax" + ("; Secure" if secure else "")


def browser_of(cookies: Mapping[str, str]) -> str:
    """What tells this browser from others, a secret; empty where it sends no cookie of ours."""
    for name in (SECURE_NAME, NAME):
        if _TOKEN.fullmatch(token := cookies.get(name, "")):
            return token
    return ""


def _loads_a_page(scope: Scope, answer: Message) -> bool:
    if answer["status"] == 304:  # of what the browser has already; it says no type
        return Headers(scope=scope).get("accept", "").startswith("text/html")
    return answer["status"] == 200 and Headers(raw=answer["headers"]).get("content-type", "").startswith("text/html")


def _cookies(scope: Scope) -> dict[str, str]:
    try:
        return {name: one.value for name, one in SimpleCookie(Headers(scope=scope).get("cookie", "")).items()}
    except CookieError:
        return {}
