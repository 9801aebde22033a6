"""The application on a real port, for what only a real connection shows: slow, broken and impatient clients."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from core.api.edge.middleware import edge_middleware
from core.api.edge.server import harden
from core.base.settings import Settings
from tests.helpers import SECONDS, wait_until

TCP_CLOSE = 7  # the state of a socket, in Linux's tcp_states.h


class _Server(uvicorn.Server):
    """uvicorn's, with the limits that the app sets where Streamlit starts it."""

    limits: Settings | None = None
    hardening: dict[str, Any]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.limits is not None:
            harden(self.config, self.limits, **self.hardening)
        await super().startup(sockets)


@contextmanager
def running(
    api: ASGIApp, limits: Settings | None = None, end_requests_after: int | None = None, **hardening: Any
) -> Iterator[str]:
    """Serve ``api`` until the block ends; yields ``host:port``. With ``limits``, behind the edge, which
    ``hardening`` (arguments of ``harden``) makes quicker.

    What is running then is cancelled so many seconds later, as the app does it; without a number it is left alone.
    """
    app = api
    for layer in reversed(edge_middleware(limits) if limits is not None else []):
        app = layer.cls(app, *layer.args, **layer.kwargs)
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http="httptools",  # the parsers that the app gets, whichever others there are
        ws="websockets-sansio",
        lifespan="off",
        log_level="critical",
        timeout_graceful_shutdown=end_requests_after,
    )
    server = _Server(config)
    server.limits, server.hardening = limits, hardening
    listening = socket.socket(socket.AF_INET)  # made as the app's is made
    listening.bind(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    wait_until(lambda: server.started, "the server")
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.should_exit = True
        server.force_exit = end_requests_after is None
        thread.join(SECONDS)
        assert not thread.is_alive(), "the server did not stop"


@dataclass(frozen=True)
class Answer:
    """What a server sent back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """A connection that sends exactly the bytes it is told to, when it is told to."""

    def __init__(self, address: str, source: str = "127.0.0.1") -> None:
        """``source`` is any address of this machine (127.0.0.0/8 on Linux)."""
        host, port = address.split(":")
        self._socket = socket.create_connection((host, int(port)), SECONDS, source_address=(source, 0))
        self._file = self._socket.makefile("rb")

    def head(self, method: str, path: str, **headers: object) -> None:
        """Send the first part of a request; ``content_type=...`` is the header Content-Type."""
        fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.send(f"{method} {path} HTTP/1.1\r\nHost: test\r\n{fields}\r\n".encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, count: int) -> bytes:
        return self._file.read(count)

    def line(self) -> bytes:
        return self._file.readline()

    def answer(self) -> Answer:
        status = int(self.line().split()[1])
        headers = {}
        while line := self.line().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return Answer(status, headers, self._file.read(int(headers.get("content-length", 0))))

    def rest(self) -> bytes:
        """Everything until the server closes the connection."""
        return self._file.read()

    @property
    def was_reset(self) -> bool:
        """Whether the server has cut the connection; nothing is read to find out (Linux)."""
        return self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE

    @property
    def ended(self) -> bool:
        """Whether the server closes the connection without another word."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
