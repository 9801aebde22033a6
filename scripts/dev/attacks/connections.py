"""Attacks on connections, before the server knows who is there."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from scripts.dev.attacks.registry import MB, AttackOutcome, Target, attack

FLOOD_BYTES = int(100 * MB)
PIECE = 64 * 1024
WAIT_SECONDS = 15.0
HEAD = b"GET /api/health/live HTTP/1.1\r\nHost: x\r\n"


@attack("endless headers", "100 MB of headers on one connection")
def endless_headers(target: Target) -> AttackOutcome:
    """Many small ones."""
    line = b"X-Filler-%d: " + b"a" * 100 + b"\r\n"
    return _flood(target, HEAD, b"".join(line % number for number in range(500)))


@attack("one endless header", "one header of 100 MB")
def one_endless_header(target: Target) -> AttackOutcome:
    """Whose end the parser waits for."""
    return _flood(target, HEAD + b"X-Filler: ", b"a" * PIECE)


@attack("endless address", "a request line of 100 MB")
def endless_address(target: Target) -> AttackOutcome:
    """Before any header."""
    return _flood(target, b"GET /", b"a" * PIECE)


@attack("endless trailers", "100 MB of headers after a body")
def endless_trailers(target: Target) -> AttackOutcome:
    """Where a limit for headers before the body does not look."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    line = b"X-Filler: " + b"a" * 100 + b"\r\n"
    return _flood(target, head + b"2\r\n{}\r\n0\r\n", line * 500)


@attack("half-sent requests", "300 connections that send a part of a request, or nothing", AISR_UPLOAD_IDLE_SECONDS="5")
def half_sent(target: Target) -> AttackOutcome:
    """And then wait."""
    beginnings = (b"", HEAD, b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(_open(target)) for _ in range(300)]
        for number, connection in enumerate(opened):
            with contextlib.suppress(OSError):
                connection.sendall(beginnings[number % len(beginnings)])
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end and any(not _closed(one) for one in opened):
            time.sleep(0.5)
        standing = sum(not _closed(one) for one in opened)
    return AttackOutcome(standing == 0, f"{standing} of 300 stand after {WAIT_SECONDS:.0f} s")


@attack("no more files", "1,100 connections to a server that may open 1,024 files", open_files=1024)
def no_more_files(target: Target) -> AttackOutcome:
    """Is its health still to be had, and its log readable?"""
    before = target.log.stat().st_size
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(1100):
            with contextlib.suppress(OSError):
                opened.append(stack.enter_context(_open(target)))
        # Beyond what one client may have, a connection is kept for two seconds.
        time.sleep(3)
        seconds = _health(target, "127.0.0.2")
        time.sleep(2)
        standing = sum(not _closed(one) for one in opened)
    written = (target.log.stat().st_size - before) / 1000
    answered = "no answer" if seconds is None else f"answers in {seconds:.2f} s"
    held = seconds is not None and written < 100
    return AttackOutcome(held, f"health: {answered}; {standing} connections stand; {written:,.0f} kB of log")


@attack("connections of one client", "600 connections from one address, kept busy")
def connections_of_one_client(target: Target) -> AttackOutcome:
    """Does anybody else still get in?"""
    request = b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/zip\r\nContent-Length: 99999\r\n\r\n"
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(_open(target)) for _ in range(600)]
        for connection in opened:
            with contextlib.suppress(OSError):
                connection.sendall(request + b"PK")
        time.sleep(3)
        standing = sum(not _closed(one) for one in opened)
        seconds = _health(target, "127.0.0.2")
    answered = "no answer" if seconds is None else f"answers in {seconds:.2f} s"
    return AttackOutcome(
        standing <= 320 and seconds is not None, f"{standing} of 600 stand; another client: {answered}"
    )


def _flood(target: Target, beginning: bytes, piece: bytes) -> AttackOutcome:
    """Send ``piece`` again and again until so much has been sent, or the server has had enough."""
    sent, ended = 0, False
    with _open(target) as connection:
        try:
            connection.sendall(beginning)
            while sent < FLOOD_BYTES:
                connection.sendall(piece)
                sent += len(piece)
        except TimeoutError:
            pass  # it is so busy with them that it takes no more
        except OSError:
            ended = True
    return AttackOutcome(ended, f"{sent / MB:.1f} MB were taken")


@contextlib.contextmanager
def _open(target: Target) -> Iterator[socket.socket]:
    connection = target.connect()
    try:
        yield connection
    finally:
        connection.close()


def _closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(PIECE):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _health(target: Target, source: str) -> float | None:
    """Seconds until the server says that it lives; None where it does not within five."""
    started = time.monotonic()
    try:
        with target.connect(source) as connection:
            connection.settimeout(5)
            connection.sendall(HEAD + b"Connection: close\r\n\r\n")
            if b" 200 " not in connection.recv(PIECE):
                return None
    except OSError:
        return None
    return time.monotonic() - started
