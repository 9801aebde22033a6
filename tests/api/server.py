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
from fastapi import FastAPI

from tests.helpers import SECONDS, wait_until


@contextmanager
def running(api: FastAPI, end_requests_after: int | None = None) -> Iterator[str]:
    """Serve ``api`` until the block ends; yields ``host:port``.

    What is running then is cancelled so many seconds later, as the app does it; without a number it is left alone.
    """
    config = uvicorn.Config(
        api,
        host="127.0.0.1",
        port=0,
        http="httptools",  # the parser that requirements.txt installs for the app, whichever others there are
        lifespan="off",
        log_level="critical",
        timeout_graceful_shutdown=end_requests_after,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "the server")
    port = server.servers[0].sockets[0].getsockname()[1]
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

    def __init__(self, address: str) -> None:
        host, port = address.split(":")
        self._socket = socket.create_connection((host, int(port)), SECONDS)
        self._file = self._socket.makefile("rb")

    def head(self, method: str, path: str, **headers: object) -> None:
        """Send the first part of a request; ``content_type=...`` is the header Content-Type."""
        fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.send(f"{method} {path} HTTP/1.1\r\nHost: test\r\n{fields}\r\n".encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

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

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
