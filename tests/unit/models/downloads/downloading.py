"""What the tests of downloads have in common: a file, a server's answers, and the function that is tested."""

from __future__ import annotations

import hashlib
import random
import socket
from dataclasses import replace
from pathlib import Path

from core.models import downloads
from tests.file_server import Answer, FileServer

CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
CHUNK = downloads.CHUNK_BYTES
HALF = 18 * CHUNK
GOOD = Answer(CONTENT)
BROKEN = replace(GOOD, drop_after=HALF)
BEFORE = b"what was there before"


def download(url: str, place: Path, **options: object) -> None:
    """The function that is tested, with short pauses between its attempts."""
    downloads.download(url, place, **{"first_pause_seconds": 0.002, **options})


def prefix(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def part_of(place: Path) -> Path:
    return place.with_name("weights.pth.part")


def fetch(server: FileServer, place: Path, content: bytes = CONTENT, **options: object) -> None:
    download(server.url(), place, sha256_prefix=prefix(content), **options)


def assert_whole(place: Path, content: bytes = CONTENT) -> None:
    assert place.read_bytes() == content
    assert list(place.parent.iterdir()) == [place], "nothing else may be left"


def refused_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/weights.pth"
