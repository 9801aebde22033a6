"""What browsers are told about every answer: what a page may load and run, who may frame it, what it may pass on."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.api.caching import NO_SNIFF
from core.base.settings import Settings, split_list

EVERYWHERE = NO_SNIFF | {
    # Addresses hold ids of stacks, which are keys to them.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Streamlit sets styles in attributes and elements of its own, and loads our components' scripts as blobs.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' blob:{scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'{ancestors}"
)
# Pictures, data and failures: nothing that a browser shows by itself may load or run anything.
DATA_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'{ancestors}; sandbox"
_NO_DOCUMENT = ("text/javascript", "application/javascript", "text/css", "font/", "application/wasm")
_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_FOREIGN_STYLE = re.compile(rb"<link[^>]*\shref=[\"']?https?://[^>]*>", re.IGNORECASE)


class BrowserHeadersMiddleware:
    """Adds those headers, and takes from HTML what would ask another host for something.

    Scripts that stand in an HTML file of Streamlit, of a component or of FastAPI are allowed by their hash; none of
    those files holds anything that a client has sent.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._ancestors = "".join(f" {site}" for site in split_list(settings.frame_ancestors))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None  # of HTML, until its body is complete
        body = bytearray()

        async def send_with_headers(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in EVERYWHERE.items():
                    headers[name] = value
                kind = headers.get("content-type", "")
                if kind.startswith("text/html"):
                    start = message
                    return
                # Without a type there is no body, as in 304: what the browser has already keeps its policy.
                if kind and not kind.startswith(_NO_DOCUMENT):
                    headers["Content-Security-Policy"] = DATA_POLICY.format(ancestors=self._ancestors)
            elif start is not None:
                body.extend(message.get("body", b""))
                if message.get("more_body"):
                    return
                message = self._finish(start, bytes(body), head_only=scope["method"] == "HEAD")
                await send(start)
                start = None
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _finish(self, start: Message, html: bytes, *, head_only: bool) -> Message:
        headers = MutableHeaders(scope=start)
        if not head_only:
            if headers.get("content-encoding") == "gzip":  # Streamlit's, of components
                html = gzip.decompress(html)
                del headers["Content-Encoding"]
            html = _FOREIGN_STYLE.sub(b"", html)
            headers["Content-Length"] = str(len(html))
        scripts = "".join(f" '{_digest(script)}'" for script in _INLINE_SCRIPT.findall(html))
        headers["Content-Security-Policy"] = PAGE_POLICY.format(scripts=scripts, ancestors=self._ancestors)
        return {"type": "http.response.body", "body": html}


def _digest(script: bytes) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script).digest()).decode()
