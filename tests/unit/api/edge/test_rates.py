"""How often a client may ask, and what the server refuses at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from core.api.edge.rates import Rate, RatesMiddleware
from core.base.settings import Settings

PROBE = "/base/api/health/live"


def test_a_minutes_worth_may_come_at_once_and_then_one_at_a_time() -> None:
    rate = Rate(60)
    assert [rate.hit("a", 100.0) for _ in range(60)] == [0.0] * 60
    assert rate.hit("a", 100.0) == pytest.approx(1.0)
    assert rate.hit("a", 100.5) == pytest.approx(0.5), "being refused costs nothing"
    assert rate.hit("a", 101.0) == 0.0
    assert rate.hit("a", 101.0) > 0
    assert rate.hit("b", 101.0) == 0.0, "another client has a minute of its own"


def test_clients_without_end_are_not_remembered_without_end() -> None:
    rate = Rate(1, max_clients=3)
    for number in range(10):
        rate.hit(str(number), 0.0)
    assert all(rate.hit(number, 0.0) > 0 for number in "789")
    assert rate.hit("6", 0.0) == 0.0, "forgotten, and may ask again"


def edge(app: Any, **limits: int) -> RatesMiddleware:
    return RatesMiddleware(app, Settings(**limits), "/base", frozenset({PROBE}))


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "/base/upload", "uploads_per_minute"),
        ("POST", "/base/api/v1/stacks", "uploads_per_minute"),
        ("POST", "/base/api/v1/files", "uploads_per_minute"),
        ("PUT", "/base/_stcore/upload_file/session/file", "uploads_per_minute"),
        ("POST", "/base/predict", "recognitions_per_minute"),
        ("POST", "/base/predict_optimized", "recognitions_per_minute"),
        ("POST", "/base/api/v1/stacks/x/predictions", "recognitions_per_minute"),
        ("POST", "/base/api/v1/stacks/x/evaluations", "recognitions_per_minute"),
        ("GET", "/base/api/v1/stacks/x/images/0/thumbnail", "requests_per_minute"),
        ("GET", "/base/uploaded_images/a.png", "requests_per_minute"),
        ("DELETE", "/base/api/v1/stacks/x", "requests_per_minute"),
    ],
)
def test_each_kind_of_request_has_its_own_rate(method: str, path: str, limit: str) -> None:
    client = TestClient(edge(PlainTextResponse("inside"), **{limit: 2}))
    assert [client.request(method, path).status_code for _ in range(3)] == [200, 200, 429]
    refused = client.request(method, path)
    assert refused.json()["code"] == "too_many_requests"
    assert refused.headers["retry-after"] == "30"
    assert client.get(PROBE).status_code == client.get("/base/static/app.js").status_code == 200


def statuses_of(asked: list[tuple[str, str]], most: int) -> list[int]:
    """What requests of ``(client, path)``, which all run until the last has come, are answered: refusals first."""

    async def attempt() -> list[int]:
        end = asyncio.Event()
        statuses: list[int] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] != PROBE:
                await end.wait()
            await PlainTextResponse("inside")(scope, receive, send)

        middleware = edge(app, max_requests=most)

        async def ask(client: str, path: str) -> None:
            async def send(message: Any) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])

            scope = {"type": "http", "method": "GET", "path": path, "client": (client, 1), "headers": []}
            await middleware(scope, None, send)  # type: ignore[arg-type]

        running = [asyncio.ensure_future(ask(*one)) for one in asked]
        for _ in asked:
            await asyncio.sleep(0)  # each gets its turn, in order
        end.set()
        await asyncio.gather(*running)
        await ask(*asked[-1])
        return statuses

    return asyncio.run(attempt())


A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
ANY = "/base/api/x"


def test_one_request_too_many_is_refused_while_the_others_go_on() -> None:
    assert statuses_of([(A, ANY)] * 3 + [(A, PROBE)], most=2) == [503, 200, 200, 200, 200]


def test_who_holds_all_requests_keeps_nobody_out_who_has_fewer_than_a_fair_part() -> None:
    found = statuses_of([(A, ANY)] * 6 + [(B, ANY)] * 4 + [(C, ANY)] * 3, most=6)
    assert found == [503] * 2 + [200] * 12, "three for the second client, two for the third"
