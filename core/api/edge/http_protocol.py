"""uvicorn's connections within limits: of size and time for headers, of speed for bodies and answers.

uvicorn's fast parser has no limits of its own. A connection is in one of four states, and each has an end:

- *head*: the line and headers of a request are awaited or arrive. ``head_seconds``, then 408.
- *body*: its body arrives. The sender has ``idle_seconds`` of patience, which bytes restore, each its share of
  ``bytes_per_second``; then 408. A refused request's body is read and thrown away on the same terms: the sender gets
  to read why.
- *answer*: the application works, or waits for its turn; no limit here. Where the client does not take the answer,
  patience goes as above; then the connection is cut.
- *idle*: between two requests; uvicorn's own ``timeout_keep_alive``.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from core.api.edge.connections import Admission, Connections
from core.api.edge.refusals import CODES, MEDIA_TYPE, problem, refuse

# As much as nginx takes by default (4 buffers of 8 kB). The longest request of our own is a file name of 512
# characters, each up to 12 bytes once it is escaped; browsers send 1 kB, and cookies of other apps on the same host.
MAX_HEAD_BYTES = 32 * 1024
MAX_LINE_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_PIPELINED = 16  # requests sent before the first is answered; browsers send none
HEAD_SECONDS = 10.0  # from the connection, or the first byte of a later request, to the end of the headers
ASIDE_SECONDS = 2.0  # the same for a connection beyond the limits
TICK_SECONDS = 1.0

_NO_LINGER = struct.pack("ii", 1, 0)
_TOO_LARGE = "The request's headers are larger than this server accepts."
_TOO_SLOW = "The request did not arrive in time. Check the connection and send it again."


class Pace:
    """How patient the server is with one client: ``seconds``, restored by the bytes that get through."""

    def __init__(self, seconds: float, bytes_per_second: int) -> None:
        self._most = self._left = seconds
        self._bytes_per_second = bytes_per_second

    def moved(self, count: int) -> None:
        """So many bytes have got through."""
        self._left = min(self._most, self._left + count / self._bytes_per_second)

    def waited(self, seconds: float) -> bool:
        """So much time has gone; whether there is any patience left."""
        self._left -= seconds
        return self._left > 0

    def restore(self) -> None:
        """Begin anew."""
        self._left = self._most


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        door: Connections,
        aside: ASGIApp,
        idle_seconds: float,
        bytes_per_second: int,
        head_seconds: float = HEAD_SECONDS,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._door = door
        self._aside_app = aside
        self._head_seconds = head_seconds
        self._tick_seconds = tick_seconds
        self._head_since: float | None = None
        self._in_message = False  # a request has begun and not ended
        self._in_body = False
        self._head_bytes = self._line_bytes = self._header_count = 0
        self._unparsed = 0  # bytes of which the parser has not made a whole head or a piece of a body
        self._progress = False
        self._too_large = False
        self._sending = Pace(idle_seconds, bytes_per_second)
        self._reading = Pace(idle_seconds, bytes_per_second)
        self._unsent = 0
        self._ticker: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the connection in, or not."""
        super().connection_made(cast("asyncio.Transport", transport))
        _send_at_once(transport)
        if self.client is not None:
            self.client = (_plain(self.client[0]), self.client[1])
        admission = self._door.enter(transport, self.client and self.client[0])
        if admission is Admission.OUT:
            self.transport.abort()
            return
        if admission is Admission.ASIDE:
            self.app = self._aside_app
            self._head_seconds = ASIDE_SECONDS
            self.timeout_keep_alive = 1
        self._head_since = self.loop.time()
        self._ticker = self.loop.call_later(self._tick_seconds, self._tick)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._stop_ticking()
        self._door.leave(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Give the bytes to the parser, and see what it has made of them."""
        if self.transport.is_closing():
            return
        if not self._in_message and self._head_since is None:
            self._head_since = self.loop.time()
        self._progress = False
        super().data_received(data)
        self._unparsed = 0 if self._progress else self._unparsed + len(data)
        if self._unparsed > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse("headers_too_large", _TOO_LARGE)

    def handle_websocket_upgrade(self) -> None:
        """From here on it is the other protocol's."""
        self._stop_ticking()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """What the parser did not accept; 431 where it was we who did not."""
        if self._too_large:
            self._refuse("headers_too_large", _TOO_LARGE)
        else:
            self._refuse("invalid_request", msg)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_message = True
        self._head_bytes = self._line_bytes = self._header_count = 0
        if self._head_since is None:
            self._head_since = self.loop.time()
        if len(self.pipeline) >= MAX_PIPELINED:
            self._fail()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._line_bytes += len(url)
        if self._line_bytes > MAX_LINE_BYTES:
            self._fail()
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, before the body or after it."""
        self._header_count += 1
        self._head_bytes += len(name) + len(value)
        if self._header_count > MAX_HEADERS or self._head_bytes > MAX_HEAD_BYTES:
            self._fail()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there; the application begins."""
        self._progress = True
        self._head_since = None
        self._in_body = True
        self._sending.restore()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._progress = True
        self._sending.moved(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has been sent."""
        self._progress = True
        self._in_message = self._in_body = False
        super().on_message_complete()

    def _fail(self) -> None:
        self._too_large = True
        raise ValueError(_TOO_LARGE)  # the parser ends, and uvicorn calls send_400_response

    def _tick(self) -> None:
        now = self.loop.time()
        self._ticker = self.loop.call_later(self._tick_seconds, self._tick)
        if self.flow.read_paused:
            pass  # it is the server that takes its time
        elif self._head_since is not None and now - self._head_since > self._head_seconds:
            self._refuse("request_timed_out", _TOO_SLOW)
        elif self._in_body and not self.cycle.waiting_for_100_continue and not self._sending.waited(self._tick_seconds):
            self._refuse("upload_timed_out", _TOO_SLOW)
        self._watch_answer()

    def _watch_answer(self) -> None:
        """Cut the connection of a client that does not take its answer, or the last of it."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or not (self.flow.write_paused or self.transport.is_closing()):
            self._reading.restore()
        else:
            self._reading.moved(max(self._unsent - unsent, 0))
            if not self._reading.waited(self._tick_seconds):
                # Reset, or the system would go on offering what it holds.
                self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                self.transport.abort()
        self._unsent = unsent

    def _refuse(self, code: str, detail: str) -> None:
        """Answer, where no answer has begun, and close."""
        self._head_since, self._in_body = None, False
        if self.transport.is_closing():
            return
        cycle = self.cycle
        pending = cycle is not None and not cycle.response_complete
        if pending:
            # The application learns that its client has gone, and what it still sends goes nowhere.
            cycle.disconnected = True
            cycle.message_event.set()
        if not (pending and cycle.response_started):
            body = problem(code, detail)
            head = [STATUS_LINE[CODES[code]], b"content-type: ", MEDIA_TYPE, b"\r\ncontent-length: %d\r\n" % len(body)]
            self.transport.write(b"".join([*head, b"connection: close\r\n\r\n", body]))
        self.transport.close()

    def _stop_ticking(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """A connection that has become a WebSocket; its pings find out who has gone."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        door: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over from HTTP."""
        super().connection_made(transport)
        if self.client is not None:
            self.client = (_plain(self.client[0]), self.client[1])

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._door.leave(self.transport)
        super().connection_lost(exc)


def only_health(app: ASGIApp, paths: frozenset[str]) -> ASGIApp:
    """``app`` for connections beyond the limits: these paths are served, everything else is 503 at once."""

    async def aside(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in paths:
            await app(scope, receive, send)
            return
        detail = "The server has as many connections as it takes on. Try again in a few seconds."
        await refuse(scope, send, "busy", detail, {"Retry-After": "5", "Connection": "close"})

    return aside


def _plain(address: str) -> str:
    """IPv4 as it is written everywhere, also where the socket takes both kinds."""
    return address.removeprefix("::ffff:") if "." in address else address


def _send_at_once(transport: asyncio.BaseTransport) -> None:
    """Head and body are written one after the other: without this the body waits 40 ms for the head to be confirmed.

    asyncio does it itself, but not for sockets like those that uvicorn makes, which do not say that they are TCP.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
