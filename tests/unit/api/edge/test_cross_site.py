"""What pages of other sites, and other names for this server, get to do."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from core.api.edge.cross_site import CrossSiteMiddleware
from core.base.settings import Settings

OWN = "http://recognizer.test:8501"
PROBE = "/api/health/live"


def make(**limits: Any) -> TestClient:
    async def page(_: object) -> PlainTextResponse:
        return PlainTextResponse("inside")

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    routes = [Route("/{path:path}", page, methods=["GET", "POST", "DELETE"]), WebSocketRoute("/{path:path}", talk)]
    options = {"settings": Settings(**limits), "open_paths": frozenset({PROBE})}
    return TestClient(Starlette(routes=routes, middleware=[Middleware(CrossSiteMiddleware, **options)]), base_url=OWN)


def connects(client: TestClient, headers: dict[str, str]) -> bool:
    try:
        with client.websocket_connect("/_stcore/stream", headers={"Host": "recognizer.test:8501", **headers}):
            return True
    except WebSocketDisconnect:
        return False


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, True),  # a program
        ({"Sec-Fetch-Site": "same-origin", "Origin": OWN}, True),
        ({"Sec-Fetch-Site": "none"}, True),  # a person, by hand
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"}, True),
        ({"Origin": OWN}, True),  # a browser on plain HTTP does not say where its page is from
        ({"Origin": OWN.upper().replace("HTTP", "http")}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://other.test:8501"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": OWN}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://recognizer.test"}, False),  # another port is another site
        ({"Origin": "http://localhost:8501"}, False),
        ({"Origin": "null"}, False),  # a sandboxed frame, or a file
        ({"Origin": ""}, False),
        ({"Origin": "https://friend.example", "Sec-Fetch-Site": "cross-site"}, True),
    ],
)
def test_only_pages_of_this_server_may_change_anything(headers: dict[str, str], expected: bool) -> None:
    client = make(cors_origins="https://friend.example, https://other.example")
    for method in ("POST", "DELETE"):
        response = client.request(method, "/upload", headers=headers)
        assert (response.status_code == 200) is expected
        if not expected:
            assert (response.status_code, response.json()["code"]) == (403, "cross_site")
            assert "inside" not in response.text
    assert connects(client, headers) is expected
    assert client.get("/uploaded_images/a.png", headers=headers).status_code == 200, "browsers guard what is read"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("example.org", True),
        ("EXAMPLE.org:8501", True),
        ("example.org.", True),
        ("a.b.example.net", True),
        ("[::1]:8501", True),
        ("example.net", False),
        ("evil.example", False),
        ("example.org.evil.example", False),
        ("evilexample.org", False),
        ("", False),
        ("[::1", False),
    ],
)
def test_only_under_its_own_names(host: str, expected: bool) -> None:
    client = make(allowed_hosts="example.org, *.example.net, ::1")
    response = client.get("/", headers={"Host": host})
    assert (response.status_code == 200) is expected
    assert connects(client, {"Host": host}) is expected
    assert client.get(PROBE, headers={"Host": host}).status_code == 200, "probes ask for an address"
    if not expected:
        assert (response.status_code, response.json()["code"]) == (421, "misdirected_request")
        assert host not in response.text or not host
    assert make().get("/", headers={"Host": "any.example"}).status_code == 200
