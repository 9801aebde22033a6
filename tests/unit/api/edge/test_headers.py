"""What browsers are told about pages, data and failures."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from core.api.edge.headers import BrowserHeadersMiddleware
from core.base.settings import Settings

SCRIPT = "\n  window.ready = true\n"
FONT = '<link href="https://fonts.googleapis.com/css?family=Sans" rel="stylesheet">'
PAGE = (
    f'<html>{FONT}<link rel="stylesheet" href="./own.css"><script>{SCRIPT}</script><script src="a.js"></script></html>'
)


def answer(response: Response, **limits: str) -> Any:
    client = TestClient(BrowserHeadersMiddleware(response, Settings(**limits)))
    return client.get("/", headers={"Accept-Encoding": "identity"})


def policy(response: Any) -> dict[str, list[str]]:
    parts = [part.split() for part in response.headers["content-security-policy"].split(";")]
    return {part[0]: part[1:] for part in parts}


@pytest.mark.parametrize("packed", [False, True])
def test_a_page_may_load_and_run_what_comes_from_here_and_nothing_else(packed: bool) -> None:
    body = gzip.compress(PAGE.encode()) if packed else PAGE
    given = answer(Response(body, media_type="text/html", headers={"Content-Encoding": "gzip"} if packed else {}))
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    rules = policy(given)
    assert rules["script-src"] == ["'self'", "blob:", f"'sha256-{digest}'"]
    assert rules["frame-ancestors"] == rules["default-src"] == ["'self'"]
    assert rules["object-src"] == ["'none'"]
    assert not re.search(r"unsafe-eval|https?:|\*", given.headers["content-security-policy"])
    assert "googleapis" not in given.text, "what would be blocked is not asked for"
    assert given.text == PAGE.replace(FONT, "")
    assert int(given.headers["content-length"]) == len(given.content)


@pytest.mark.parametrize("kind", ["application/json", "image/png", "image/svg+xml", "application/problem+json"])
def test_what_is_no_page_may_do_nothing_at_all(kind: str) -> None:
    rules = policy(answer(Response(b"{}", media_type=kind)))
    assert rules["default-src"] == ["'none'"]
    assert "sandbox" in rules


@pytest.mark.parametrize("status", [200, 404, 500])
def test_every_answer_has_its_type_believed_and_keeps_its_address(status: int) -> None:
    given = answer(PlainTextResponse("x", status))
    assert given.headers["x-content-type-options"] == "nosniff"
    assert given.headers["referrer-policy"] == "same-origin"
    assert given.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_page_that_the_browser_has_keeps_its_own_policy() -> None:
    assert "content-security-policy" not in answer(Response(status_code=304)).headers


def test_only_sites_that_are_named_may_frame_it() -> None:
    sites = "https://huggingface.co, https://example.org"
    for response in (Response(PAGE, media_type="text/html"), PlainTextResponse("x")):
        given = policy(answer(response, frame_ancestors=sites))["frame-ancestors"]
        assert given == ["'self'", "https://huggingface.co", "https://example.org"]
