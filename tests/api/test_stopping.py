"""What clients hear, and what goes on, when the server is told to stop in the middle of their requests."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.api.conftest import Gate, MakeService, Service
from tests.api.prediction_requests import NDJSON, create, send
from tests.api.server import Connection, running
from tests.helpers import SECONDS, wait_until

Begin = Callable[[Service, Connection, Gate], None]


def ask_for_answers(service: Service, connection: Connection, gate: Gate) -> None:
    send(connection, create(service), {"batch_size": 1})
    assert gate.reached.wait(SECONDS)


def ask_for_a_stream(service: Service, connection: Connection, gate: Gate) -> None:
    send(connection, create(service), {"batch_size": 1}, **NDJSON)
    assert gate.reached.wait(SECONDS)


def ask_the_short_route(service: Service, connection: Connection, gate: Gate) -> None:
    stack = create(service).split("/")[-2]
    names = [f"{number}.png" for number in range(12)]
    send(connection, "/predict_optimized", {"stack_id": stack, "filenames": names, "batch_size": 1})
    assert gate.reached.wait(SECONDS)


def begin_an_upload(service: Service, connection: Connection, gate: Gate) -> None:
    connection.head("POST", "/api/v1/stacks", content_type="application/zip", content_length=9_000_000)
    connection.send(bytes(1_000_000))
    wait_until(lambda: service.store.usage.stacks == 1, "the upload")


@pytest.mark.parametrize("begin", [ask_for_answers, ask_for_a_stream, ask_the_short_route, begin_an_upload])
def test_a_request_that_a_stopping_server_ends_is_told_so(make_service: MakeService, gate: Gate, begin: Begin) -> None:
    service = make_service()
    with running(service.api, end_requests_after=0) as address:
        connection = Connection(address)
        begin(service, connection, gate)
    with connection:
        answer = connection.answer()
    assert (answer.status, answer.json()["code"]) == (503, "busy")
    assert "shutting down" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0
    gate.open()
    wait_until(lambda: service.queue.running == 0, "the end of the work")
    assert gate.calls < 12, "the work went on, though nobody waits for it"


def test_a_stream_that_has_begun_is_cut_off_and_does_not_look_whole(make_service: MakeService, gate: Gate) -> None:
    service = make_service()
    gate.after = 2
    with running(service.api, end_requests_after=0) as address:
        connection = Connection(address)
        send(connection, create(service), {"batch_size": 1}, **NDJSON)
        assert gate.reached.wait(SECONDS)
    with connection:
        received = connection.rest()
    assert received.startswith(b"HTTP/1.1 200")
    assert not received.endswith(b"0\r\n\r\n"), "that would be the end of a whole answer"
    assert b"Traceback" not in received
    lines = [json.loads(line) for line in received.splitlines() if line.startswith(b'{"index"')]
    assert 1 <= len(lines) <= 2
    gate.open()
    wait_until(lambda: service.queue.running == 0, "the end of the work")
    assert gate.calls < 12
