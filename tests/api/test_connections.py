"""Connections that send too much, too slowly, or too many of them, before anybody has said who they are."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import pytest
from starlette.types import Receive, Scope, Send
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from core.api.edge import http_protocol, server
from core.api.edge.connections import Admission, Connections
from core.base.settings import MIB, Settings
from tests.api.conftest import MakeService
from tests.api.server import Connection, running
from tests.helpers import SECONDS, wait_until

HEALTH = "/api/health/live"
HEAD = f"GET {HEALTH} HTTP/1.1\r\nHost: x\r\n".encode()
CHUNKED = (
    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n{}\r\n"
)
ANSWER = 40 * MIB
QUICK = {"head_seconds": 0.5, "tick_seconds": 0.1}  # time-outs that a test can wait for


class App:
    """Answers with ``ANSWER`` bytes below ``/large``, after a while below ``/slow``, and by saying hello elsewhere."""

    def __init__(self) -> None:
        self.cut_off = 0
        self.clients: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.clients.append(scope["client"][0])
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            self.cut_off += 1
            return
        if scope["path"] == "/slow":
            await asyncio.sleep(1.5)
        size = ANSWER if scope["path"] == "/large" else 5
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
        await send({"type": "http.response.body", "body": bytes(size)})


@pytest.fixture
def app() -> App:
    return App()


@contextmanager
def serve(app: App, hardening: Mapping[str, float] = MappingProxyType({}), **limits: object) -> Iterator[str]:
    with running(app, Settings(**limits), **hardening) as address:
        yield address


def test_an_answer_is_sent_at_once_and_not_when_its_head_is_confirmed(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which takes 40 ms: it is held back only on connections that may hold small pieces back."""
    found: list[int] = []
    made = http_protocol.BoundedHttpProtocol.connection_made

    def watch(protocol: http_protocol.BoundedHttpProtocol, transport: asyncio.BaseTransport) -> None:
        made(protocol, transport)
        found.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(http_protocol.BoundedHttpProtocol, "connection_made", watch)
    with serve(app) as address, Connection(address) as connection:
        connection.head("GET", "/")
        assert connection.answer().status == 200
    assert found
    assert all(found)


class TestHeaders:
    @pytest.mark.parametrize(
        ("beginning", "piece"),
        [
            (HEAD, b"X-Filler: " + b"a" * 1000 + b"\r\n"),
            (HEAD, b"X: y\r\n"),
            (HEAD + b"X-Filler: ", b"a" * 1000),
            (HEAD, b"a" * 1000),
            (b"GET /", b"a" * 1000),
            (b"", b"a" * 1000),
            (b"", b"\r\n"),
            (CHUNKED + b"0\r\n", b"X-Filler: " + b"a" * 1000 + b"\r\n"),
            (CHUNKED + b"0\r\nX-Filler: ", b"a" * 1000),
            (CHUNKED + b"1;x=", b"a" * 1000),
        ],
        ids=["lines", "short lines", "value", "name", "address", "method", "nothing", "trailers", "trailer", "chunk"],
    )
    def test_nothing_before_or_after_a_body_is_without_end(self, app: App, beginning: bytes, piece: bytes) -> None:
        sent, pieces = 0, piece * (64_000 // len(piece))
        with serve(app) as address, Connection(address) as connection:
            try:
                connection.send(beginning)
                while sent < 20 * MIB:
                    connection.send(pieces)
                    sent += len(pieces)
            except OSError:
                pass
        assert sent < 10 * MIB, "what fits into the buffers of both systems, and not more"

    def test_who_sends_too_much_is_told_so(self, app: App) -> None:
        with serve(app) as address, Connection(address) as connection:
            connection.send(HEAD + b"X-Filler: " + b"a" * http_protocol.MAX_HEAD_BYTES + b"\r\n\r\n")
            answer = connection.answer()
            assert (answer.status, answer.json()["code"]) == (431, "headers_too_large")
            assert answer.headers["connection"] == "close"
            assert connection.ended
        assert not app.clients, "the application never hears of it"

    def test_what_browsers_and_proxies_send_is_taken(self, app: App) -> None:
        with serve(app) as address, Connection(address) as connection:
            for _ in range(3):
                cookies = {f"X_{number}": "a" * 700 for number in range(20)}
                connection.head("GET", "/uploaded_images/" + "%E2%82%AC" * 512, Cookie="a=" + "b" * 8000, **cookies)
                assert connection.answer().status == 200

    def test_requests_sent_before_the_first_is_answered_are_few(self, app: App) -> None:
        request = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
        with serve(app) as address:
            with Connection(address) as connection:
                connection.send(request * (http_protocol.MAX_PIPELINED + 10))
                assert connection.answer().status == 431
                assert connection.ended
            with Connection(address) as connection:
                connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
                assert [connection.answer().status for _ in range(5)] == [200] * 5


class TestTime:
    @pytest.mark.parametrize("beginning", [b"", HEAD, HEAD[:-5], b"\r\n"])
    def test_a_request_that_does_not_come_is_not_waited_for(self, app: App, beginning: bytes) -> None:
        with serve(app, QUICK) as address, Connection(address) as connection:
            connection.send(beginning)
            answer = connection.answer()
            assert (answer.status, answer.json()["code"]) == (408, "request_timed_out")
            assert connection.ended

    def test_nor_the_second_on_a_connection(self, app: App) -> None:
        with serve(app, QUICK) as address, Connection(address) as connection:
            connection.head("GET", "/")
            assert connection.answer().status == 200
            connection.send(HEAD)
            assert connection.answer().status == 408

    def test_nor_one_that_comes_byte_by_byte(self, app: App) -> None:
        with serve(app, QUICK) as address, Connection(address) as connection, pytest.raises(OSError):
            for _ in range(100):
                connection.send(b"G")
                time.sleep(0.05)
        assert not app.clients

    def test_an_answer_that_takes_long_to_make_is_not_cut(self, app: App) -> None:
        with serve(app, QUICK, upload_idle_seconds=1) as address, Connection(address) as connection:
            connection.head("GET", "/slow")
            assert connection.answer().status == 200

    def test_a_body_that_drips_is_ended_and_one_that_is_slow_is_not(self, app: App) -> None:
        with serve(app, QUICK, upload_idle_seconds=1, min_bytes_per_second=1000) as address:
            with Connection(address) as drip, Connection(address) as slow:
                for connection in (drip, slow):
                    connection.head("POST", "/", Content_Length=120_000)
                rest = 120_000
                while not app.cut_off and rest > 3000:
                    drip.send(b"x")
                    slow.send(bytes(3000))  # twenty times what is asked: no machine is too slow for it
                    rest -= 3000
                    time.sleep(0.15)
                answer = drip.answer()
                assert (answer.status, answer.json()["code"]) == (408, "upload_timed_out")
                wait_until(lambda: app.cut_off == 1, "the application to hear that its client has gone")
                slow.send(bytes(rest))
                assert slow.answer().status == 200
            assert app.cut_off == 1

    def test_who_waits_to_be_asked_for_the_body_is_not_blamed(
        self, make_service: MakeService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service = make_service()
        receive = service.store.receive
        monkeypatch.setattr(service.store, "receive", lambda client: (time.sleep(1.5), receive(client))[1])
        limits = Settings(upload_idle_seconds=1)
        with running(service.api, limits, **QUICK) as address, Connection(address) as connection:
            headers = {"Content_Type": "application/zip", "Content_Length": 4, "Expect": "100-continue"}
            connection.head("POST", "/api/v1/stacks", **headers)
            assert b"100" in connection.line()

    def test_an_answer_that_nobody_reads_is_given_up_and_one_read_slowly_is_not(self, app: App) -> None:
        with serve(app, QUICK, upload_idle_seconds=1, min_bytes_per_second=1000) as address:
            with Connection(address) as deaf:
                deaf.head("GET", "/large")
                wait_until(lambda: deaf.was_reset, "the server to give up")
            with Connection(address) as reader:
                reader.head("GET", "/large")
                reader.line()
                for _ in range(10):
                    reader.read(MIB)
                    time.sleep(0.2)
                assert len(reader.read(2 * ANSWER)) >= ANSWER - 10 * MIB


class TestNumbers:
    def test_one_client_has_so_many_and_others_as_many(self, app: App) -> None:
        with serve(app, max_connections_per_client=2) as address:
            first, second = Connection(address), Connection(address)
            for connection in (first, second):
                connection.head("GET", "/")
                assert connection.answer().status == 200
            with Connection(address) as third:
                third.head("GET", "/")
                answer = third.answer()
                assert (answer.status, answer.json()["code"]) == (503, "busy")
                assert int(answer.headers["retry-after"]) > 0
                assert third.ended
            with Connection(address) as probe:
                probe.head("GET", HEALTH)
                assert probe.answer().status == 200, "the health is always to be had"
            with Connection(address, "127.0.0.2") as other:
                other.head("GET", "/")
                assert other.answer().status == 200
            first.close()

            def again() -> bool:
                with Connection(address) as connection:
                    connection.head("GET", "/")
                    return connection.answer().status == 200

            wait_until(again, "the place that was given back")
            second.close()

    def test_all_together_have_so_many(self, app: App) -> None:
        with serve(app, max_connections=16) as address:
            open_ones = [Connection(address, f"127.0.0.{number + 1}") for number in range(16)]
            for connection in open_ones:
                connection.head("GET", "/")
                assert connection.answer().status == 200
            with Connection(address, "127.0.0.99") as late:
                late.head("GET", "/")
                assert late.answer().status == 503
            for connection in open_ones:
                connection.close()

    def test_far_beyond_that_they_are_closed_without_a_word(self, app: App, caplog: pytest.LogCaptureFixture) -> None:
        with serve(app, {"max_aside": 3}, max_connections_per_client=1) as address:
            open_ones = [Connection(address) for _ in range(20)]
            open_ones[0].head("GET", "/")
            assert open_ones[0].answer().status == 200
            ended = [connection.ended for connection in open_ones[4:]]
            for connection in open_ones:
                connection.close()
        assert all(ended)
        lines = [record.getMessage() for record in caplog.records if "connections refused" in record.getMessage()]
        assert len(lines) == 1, "one line for many, or the log would fill the disk"

    def test_a_websocket_counts_for_as_long_as_it_lives(self, app: App) -> None:
        with serve(app, max_connections_per_client=1) as address:
            with connect(f"ws://{address}/"), Connection(address) as connection:
                connection.head("GET", "/")
                assert connection.answer().status == 503

            def again() -> bool:
                with Connection(address) as connection:
                    connection.head("GET", "/")
                    return connection.answer().status == 200

            wait_until(again, "the place that was given back")

    def test_clients_behind_a_trusted_proxy_are_told_apart_and_its_connections_are_not_counted_as_one_clients(
        self, app: App
    ) -> None:
        with serve(app, max_connections_per_client=1, trusted_proxies="127.0.0.1, 10.0.0.0/8") as address:
            for header in (
                {"X_Forwarded_For": "198.51.100.1"},
                {"X_Forwarded_For": "203.0.113.66, 198.51.100.2"},
                {"X_Forwarded_For": "203.0.113.66\r\nX-Forwarded-For: 198.51.100.3:4711"},
                {"X_Forwarded_For": "[2001:db8::1]:4711, 10.1.2.3"},
                {"X_Forwarded_For": "  "},
                {},
            ):
                held = Connection(address)
                held.head("GET", "/", **header)
                assert held.answer().status == 200
            with Connection(address, "127.0.0.2") as stranger:
                stranger.head("GET", "/", X_Forwarded_For="198.51.100.1")
                assert stranger.answer().status == 200
        named = ["198.51.100.1", "198.51.100.2", "198.51.100.3", "2001:db8::1", "127.0.0.1", "127.0.0.1", "127.0.0.2"]
        assert app.clients == named

    def test_nobody_is_believed_by_default(self, app: App) -> None:
        with serve(app) as address, Connection(address) as connection:
            connection.head("GET", "/", X_Forwarded_For="198.51.100.1")
            assert connection.answer().status == 200
        assert app.clients == ["127.0.0.1"]

    def test_addresses_of_one_household_are_one_client(self) -> None:
        door = Connections(100, 2, [])
        places = [object() for _ in range(4)]
        one, two, three, other = "2001:db8::1", "2001:db8::2", "2001:db8::ffff:3", "2001:db8:0:1::1"
        admitted = [door.enter(place, address) for place, address in zip(places, (one, two, three, other), strict=True)]
        assert admitted == [Admission.IN, Admission.IN, Admission.ASIDE, Admission.IN]
        for place in places * 2:
            door.leave(place)
        assert len(door) == 0


class TestMessages:
    @pytest.mark.parametrize("pieces", [1, 5])
    def test_a_large_message_ends_the_websocket_before_it_is_whole(self, app: App, pieces: int) -> None:
        size = server.MAX_MESSAGE_BYTES // pieces + 1
        with serve(app) as address, connect(f"ws://{address}/") as socket:
            with pytest.raises(ConnectionClosed) as closed:
                socket.send([bytes(size)] * pieces if pieces > 1 else bytes(size))
                socket.recv(SECONDS)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        with serve(app) as address, connect(f"ws://{address}/") as socket:
            socket.send(bytes(server.MAX_MESSAGE_BYTES))
            socket.ping().wait(SECONDS)


class TestFiles:
    def test_when_no_more_can_be_opened_the_log_says_so_once(self, caplog: pytest.LogCaptureFixture) -> None:
        loop = asyncio.new_event_loop()
        quiet = server.QuietAboutFiles()
        caplog.set_level(logging.ERROR)
        for _ in range(1000):
            context = {"message": server.ACCEPT_FAILED, "exception": OSError(24, "Too many open files")}
            quiet(loop, context)
        quiet(loop, {"message": "something else"})
        loop.close()
        assert len(caplog.records) == 2
