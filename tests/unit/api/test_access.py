"""The door in front of pages and API: who gets in, and what those who do not are told."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from core.api import access
from core.api.access import ACCESS_COOKIE, OPEN_PATHS, AccessMiddleware
from core.base.settings import Settings

SECRET = "sesame, open up: now"  # noqa: S105 - of these tests only
MakeClient = Callable[..., TestClient]


def basic(password: str, user: str = "anybody") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def make_client() -> MakeClient:
    def make(base_url: str = "http://testserver", **limits: Any) -> TestClient:
        async def page(_: object) -> PlainTextResponse:
            return PlainTextResponse("inside")

        async def talk(socket: WebSocket) -> None:
            await socket.accept()
            await socket.send_text("inside")
            await socket.close()

        routes = [Route("/{path:path}", page, methods=["GET", "POST"]), WebSocketRoute("/{path:path}", talk)]
        middleware = [Middleware(AccessMiddleware, settings=Settings(**limits))]
        return TestClient(Starlette(routes=routes, middleware=middleware), base_url=base_url)

    return make


def gets_in(client: TestClient, headers: Mapping[str, str] | None = None) -> bool:
    """Over HTTP and by WebSocket alike; a cookie that is given on the way is not kept."""
    response = client.get("/predict", headers=headers)
    client.cookies.clear()
    try:
        with client.websocket_connect("/_stcore/stream", headers=dict(headers or {})) as socket:
            by_socket = socket.receive_text() == "inside"
    except WebSocketDisconnect:
        by_socket = False
    assert by_socket == (response.status_code == 200)
    assert ("inside" in response.text) == by_socket
    return by_socket


def test_without_a_secret_everybody_gets_in(make_client: MakeClient) -> None:
    client = make_client()
    assert gets_in(client)
    assert "set-cookie" not in client.get("/").headers


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (f"Bearer {SECRET}", True),
        (basic(SECRET), True),
        (basic(SECRET, user=""), True),
        ("", False),
        (f"Bearer {SECRET}x", False),
        (f"Bearer {SECRET[:-1]}", False),
        ("Bearer ", False),
        (basic(""), False),
        (basic(SECRET.upper()), False),
        ("Basic no base64!", False),
        ("Basic " + base64.b64encode(b"\xff\xfe:x").decode(), False),
        (f"Digest {SECRET}", False),
        (SECRET, False),
    ],
)
def test_with_a_secret_only_those_who_know_it(make_client: MakeClient, authorization: str, expected: bool) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    assert gets_in(make_client(access_token=SECRET), headers) is expected


def test_a_refusal_is_a_problem_that_says_how_to_get_in_and_nothing_else(make_client: MakeClient) -> None:
    response = make_client(access_token=SECRET).get("/predict", headers={"Authorization": "Bearer wrong"})
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"].startswith("Basic realm=")
    assert json.loads(response.text)["code"] == "unauthorized"
    assert SECRET not in response.text
    assert "set-cookie" not in response.headers


def test_the_cookie_stands_for_the_secret_and_does_not_reveal_it(make_client: MakeClient) -> None:
    client = make_client(access_token=SECRET)
    response = client.get("/", headers={"Authorization": basic(SECRET)})
    cookie = response.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert SECRET not in cookie
    value = response.cookies[ACCESS_COOKIE]
    assert gets_in(make_client(access_token=SECRET), {"Cookie": f"{ACCESS_COOKIE}={value}"})
    assert not gets_in(make_client(access_token=SECRET), {"Cookie": f"{ACCESS_COOKIE}={value[:-1]}"})
    assert not gets_in(make_client(access_token=SECRET * 2), {"Cookie": f"{ACCESS_COOKIE}={value}"})


def test_under_https_the_cookie_stays_there(make_client: MakeClient) -> None:
    client = make_client("https://testserver", access_token=SECRET)
    assert "Secure" in client.get("/", headers={"Authorization": basic(SECRET)}).headers["set-cookie"]


@pytest.mark.parametrize("path", OPEN_PATHS)
def test_probes_need_no_secret(make_client: MakeClient, path: str) -> None:
    assert make_client(access_token=SECRET, access_header="X-User").get(path).status_code == 200


@pytest.mark.parametrize("path", ["/x/api/health/live", "/api/health/live/x", "/x_stcore/health", "/api/health"])
def test_an_address_that_only_looks_like_a_probes_needs_one(make_client: MakeClient, path: str) -> None:
    assert make_client(access_token=SECRET).get(path).status_code == 401


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Delays are counted instead."""
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    monkeypatch.setattr(access.anyio, "sleep", sleep)
    return delays


def test_wrong_passwords_take_longer_each_time_and_then_nothing_helps(
    make_client: MakeClient, no_waiting: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(access_token=SECRET, sign_in_attempts=3, sign_in_ban_seconds=100)
    wrong, right = ({"Authorization": basic(password)} for password in ("guess", SECRET))
    cookie = {"Cookie": f"{ACCESS_COOKIE}={client.get('/', headers=right).cookies[ACCESS_COOKIE]}"}
    client.cookies.clear()
    assert [client.get("/", headers=wrong).status_code for _ in range(4)] == [401, 401, 401, 429]
    assert no_waiting == [0.2, 0.4, 0.8]
    refused = client.get("/", headers=right)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert 0 < int(refused.headers["retry-after"]) <= 100
    assert client.get("/").status_code == 401, "who says nothing is asked, as always"
    assert client.get("/", headers=cookie).status_code == 200, "colleagues behind the same address go on working"
    messages = [record.getMessage() for record in caplog.records if record.name == access.__name__]
    assert len(messages) == 3
    assert "guess" not in caplog.text


def test_the_right_password_makes_up_for_wrong_ones_and_time_for_all(no_waiting: list[float]) -> None:
    wrong = access.WrongPasswords(2, 10.0)
    assert [wrong.add("a", 0.0), wrong.wait("a", 0.0), wrong.add("a", 1.0)] == [1, 0.0, 2]
    assert wrong.wait("a", 1.0) == 10.0
    assert wrong.wait("b", 1.0) == 0.0
    assert wrong.wait("a", 11.5) == 0.0
    assert wrong.add("a", 12.0) == 1
    wrong.forget("a")
    assert wrong.add("a", 12.0) == 1


def test_clients_without_end_are_not_remembered_without_end() -> None:
    wrong = access.WrongPasswords(1, 10.0, max_clients=3)
    for number in range(10):
        wrong.add(f"client {number}", 0.0)
    assert [number for number in range(10) if wrong.wait(f"client {number}", 0.0) > 0] == [7, 8, 9]


@pytest.mark.parametrize("headers", [{}, {"X-User": ""}, {"X-Other": "me"}])
def test_behind_a_proxy_only_those_it_names(make_client: MakeClient, headers: dict[str, str]) -> None:
    client = make_client(access_header="X-User")
    assert not gets_in(client, headers)
    assert "www-authenticate" not in client.get("/", headers=headers).headers, "the browser has nothing to ask for"
    assert gets_in(client, {"X-User": "me"})


def test_with_both_both_are_needed(make_client: MakeClient) -> None:
    client = make_client(access_token=SECRET, access_header="X-User")
    assert not gets_in(client, {"X-User": "me"})
    assert not gets_in(client, {"Authorization": basic(SECRET)})
    assert gets_in(client, {"X-User": "me", "Authorization": basic(SECRET)})
