"""A web server for one file that misbehaves on request: drops connections, ignores ranges, changes the file."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.helpers import SECONDS


@dataclass(frozen=True)
class Answer:
    """How one request is answered; by default as a good server does.

    ``drop_after`` closes the connection after so many bytes of the body, ``stall_after`` goes silent there until
    ``FileServer.release`` is set. ``headers`` replace the true ones (None leaves one out).
    """

    content: bytes
    status: int = 0  # 0: 200, 206 or 416, as fits
    ranges: bool = True
    drop_after: int | None = None
    stall_after: int | None = None
    headers: dict[str, str | None] = field(default_factory=dict)


class FileServer:
    """Serves ``answers`` in order, the last one for ever; ``requested`` are the Range headers that came."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.requested: list[str | None] = []
        self.release = threading.Event()
        self._sent = 0
        self._answering = 0
        self._lock = threading.Condition()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805
                with self._answers():
                    self._answer(handler)

            def log_message(handler, *arguments: object) -> None:  # noqa: N805
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def url(self, name: str = "weights.pth") -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    @property
    def sent(self) -> int:
        """Bytes of bodies, once nothing is being sent."""
        with self._lock:
            assert self._lock.wait_for(lambda: not self._answering, SECONDS)
            return self._sent

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def _answers(self) -> Iterator[None]:
        with self._lock:
            self._answering += 1
        try:
            yield
        finally:
            with self._lock:
                self._answering -= 1
                self._lock.notify_all()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.requested.append(handler.headers["Range"])
        found = re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "")
        start = int(found[1]) if found and answer.ranges and not answer.status else 0
        total = len(answer.content)
        status = answer.status or (206 if start else 200)
        headers: dict[str, str | None] = {}
        if start and start >= total:
            status, start, headers["Content-Range"] = 416, total, f"bytes */{total}"
        elif status == 206:
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        body = answer.content[start:]
        headers |= {"Content-Length": str(len(body))} | answer.headers
        handler.send_response(status)
        for name, value in headers.items():
            if value is not None:
                handler.send_header(name, value)
        handler.end_headers()
        self._send(handler, body[: answer.drop_after], answer.stall_after)

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes, stall_after: int | None) -> None:
        try:
            handler.wfile.write(body[:stall_after])
            if stall_after is not None:
                self.release.wait(20)
                handler.wfile.write(body[stall_after:])
            with self._lock:
                self._sent += len(body)
        except OSError:
            pass  # the client has gone


ServeFile = Callable[..., FileServer]


@contextmanager
def file_servers() -> Iterator[ServeFile]:
    """A function that starts a server with these answers; all of them end with the context."""
    servers: list[FileServer] = []

    def serve(*answers: Answer) -> FileServer:
        servers.append(FileServer(list(answers)))
        return servers[-1]

    try:
        yield serve
    finally:
        for server in servers:
            server.close()
