"""The cookie that tells browsers apart."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.testclient import TestClient

from core.api.edge.browsers import NAME, SECURE_NAME, BrowserCookieMiddleware, browser_of
from core.base.settings import Settings

PAGE = Response("<html></html>", media_type="text/html")
TOKEN = "a-B_9" * 8 + "xyz"


def client(response: Response = PAGE, scheme: str = "http", **limits: object) -> TestClient:
    app = BrowserCookieMiddleware(response, Settings(**limits))
    return TestClient(app, base_url=f"{scheme}://testserver")


def given(header: str) -> tuple[str, dict[str, str]]:
    ((name, cookie),) = SimpleCookie(header).items()
    return name, {key: value for key, value in cookie.items() if value} | {"token": cookie.value}


def test_a_page_gives_a_cookie_that_only_this_server_and_its_own_pages_get() -> None:
    name, cookie = given(client(stack_ttl_seconds=60).get("/").headers["set-cookie"])
    assert name == NAME
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie.pop("token"))
    assert cookie == {"path": "/", "httponly": True, "max-age": "60", "samesite": "Lax"}


def test_each_browser_gets_another_and_keeps_its_own() -> None:
    first, second = client(), client()
    tokens = {given(one.get("/").headers["set-cookie"])[1]["token"] for one in (first, first, second)}
    assert len(tokens) == 2


def test_under_https_no_other_host_can_set_it() -> None:
    answer = client(scheme="https").get("/")
    name, cookie = given(answer.headers["set-cookie"])
    assert (name, cookie["secure"], cookie["samesite"]) == (SECURE_NAME, True, "Lax")


def test_where_another_site_may_frame_the_pages_it_is_sent_in_that_frame_alone() -> None:
    header = client(scheme="https", frame_ancestors="https://example.org").get("/").headers["set-cookie"]
    assert header.endswith("Secure; SameSite=None; Partitioned")
    assert "SameSite=Lax" in client(frame_ancestors="https://example.org").get("/").headers["set-cookie"]


def test_a_page_that_the_browser_still_has_gives_and_renews_it_too() -> None:
    kept = client(Response(status_code=304))
    header = kept.get("/", headers={"accept": "text/html,application/xhtml+xml"}).headers["set-cookie"]
    assert given(header)[0] == NAME
    assert "set-cookie" not in kept.get("/static/index.js", headers={"accept": "*/*"}).headers


@pytest.mark.parametrize(
    ("response", "method"),
    [
        (JSONResponse({}), "GET"),
        (PlainTextResponse("no"), "GET"),
        (Response("<html></html>", status_code=404, media_type="text/html"), "GET"),
        (PAGE, "HEAD"),
        (PAGE, "POST"),
    ],
    ids=["data", "text", "failure", "head", "post"],
)
def test_whoever_loads_no_page_gets_none(response: Response, method: str) -> None:
    assert "set-cookie" not in client(response).request(method, "/").headers


@pytest.mark.parametrize("value", ["", "short", TOKEN + "a", TOKEN[:-1] + "/", TOKEN[:-1] + "\u00e4", "../" * 14 + "a"])
def test_what_we_did_not_give_is_nobodys(value: str) -> None:
    assert browser_of({NAME: value}) == ""
    assert browser_of({NAME: TOKEN, "other": value}) == TOKEN


def test_the_one_that_is_better_kept_counts() -> None:
    assert browser_of({NAME: "b" * 43, SECURE_NAME: TOKEN}) == TOKEN
