"""Attacks by what is sent: slowly, in pieces, in numbers."""

from __future__ import annotations

import contextlib
import io
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import requests
from PIL import Image

from scripts.dev.attacks.registry import TIMEOUT_SECONDS, AttackOutcome, Target, attack

ZIP = {"Content-Type": "application/zip"}


def small_zip() -> bytes:
    """One image of one pixel: less than 300 bytes."""
    file, packed = io.BytesIO(), io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.png", file.getvalue())
    return packed.getvalue()


@attack("dripping upload", "20 uploads of a byte a second", AISR_UPLOAD_IDLE_SECONDS="5")
def dripping_upload(target: Target) -> AttackOutcome:
    """Each of which is never idle."""
    head = (
        b"POST /api/v1/stacks HTTP/1.1\r\nHost: x\r\nContent-Type: application/zip\r\nContent-Length: 100000\r\n\r\nPK"
    )
    with contextlib.ExitStack() as stack:
        open_ones = [stack.enter_context(target.connect()) for _ in range(20)]
        for one in open_ones:
            one.sendall(head)
        started = time.monotonic()
        while open_ones and time.monotonic() - started < 12:
            time.sleep(1)
            for one in list(open_ones):
                try:
                    one.sendall(b"x")
                    one.settimeout(0.01)
                    if one.recv(1000):
                        open_ones.remove(one)
                except TimeoutError:
                    pass
                except OSError:
                    open_ones.remove(one)
        seconds = time.monotonic() - started
    return AttackOutcome(not open_ones, f"{len(open_ones)} of 20 go on after {seconds:.0f} s")


@attack("all places", "stacks of 300 bytes until there is no place, from eight addresses")
def all_places(target: Target) -> AttackOutcome:
    """Can another client still upload?"""
    archive = small_zip()
    statuses: Counter[int] = Counter()
    for number in range(8):
        with session_from(f"127.0.1.{number + 1}") as session:
            for _ in range(40):
                statuses[_upload(session, target, archive)] += 1
    with session_from("127.0.2.1") as session:
        other = _upload(session, target, archive)
    return AttackOutcome(other == 201, f"{statuses[201]} of 320 taken; another client gets {other}")


@attack("flood", "400 requests for predictions where 300 a minute are allowed", AISR_RECOGNITIONS_PER_MINUTE="300")
def flood(target: Target) -> AttackOutcome:
    """From one client."""
    statuses: Counter[int] = Counter()
    with requests.Session() as session:
        for _ in range(400):
            answer = session.post(f"{target.address}/predict", json={"filenames": ["a"]}, timeout=TIMEOUT_SECONDS)
            statuses[answer.status_code] += 1
    return AttackOutcome(
        statuses[429] > 0, ", ".join(f"{count:,} × {status}" for status, count in sorted(statuses.items()))
    )


@contextlib.contextmanager
def session_from(source: str) -> Iterator[requests.Session]:
    """A client of another address of this machine."""

    class _From(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
            super().init_poolmanager(*arguments, source_address=(source, 0), **options)

    with requests.Session() as session:
        session.mount("http://", _From())
        yield session


def _upload(session: requests.Session, target: Target, archive: bytes) -> int:
    address = f"{target.address}/api/v1/stacks?name=a.zip"
    return session.post(address, data=archive, headers=ZIP, timeout=TIMEOUT_SECONDS).status_code
