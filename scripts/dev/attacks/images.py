"""Attacks by images that are huge in a small file, and by answers that nobody reads."""

from __future__ import annotations

import contextlib
import io
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from itertools import cycle

import numpy as np
import requests
from PIL import Image

from scripts.dev.attacks.registry import TIMEOUT_SECONDS, AttackOutcome, Target, attack
from scripts.dev.attacks.uploads import ZIP, session_from

P95_SECONDS = 1.0
_RGB, _RGBA = 2, 6
_ATTACKER, _HONEST = "127.0.3.1", "127.0.3.2"


def black_png(width: int, height: int, bit_depth: int, color_type: int) -> bytes:
    """A PNG of zeros, compressed as well as Deflate can, made row by row."""
    samples = {_RGB: 3, _RGBA: 4}[color_type]
    row = bytes(1 + width * samples * bit_depth // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">2I5B", width, height, bit_depth, color_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
        for kind, content in chunks
    )


def zip_of(image: bytes, count: int) -> bytes:
    """An archive with the same image under many names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"{number}.png", image)
    return packed.getvalue()


def upload(session: requests.Session, target: Target, archive: bytes) -> str:
    """The address of the new stack."""
    answer = session.post(
        f"{target.address}/api/v1/stacks?name=a.zip", data=archive, headers=ZIP, timeout=TIMEOUT_SECONDS
    )
    return f"{target.address}/api/v1/stacks/{answer.json()['stack_id']}"


class Honest:
    """A client with 20 small images, which asks for predictions and thumbnails and measures how long they take."""

    def __init__(self, session: requests.Session, target: Target) -> None:
        self.predictions: list[float] = []
        self.pictures: list[float] = []
        self.refused = 0
        self._session = session
        noise = np.random.default_rng(0)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for number in range(20):
                image = io.BytesIO()
                Image.fromarray(noise.integers(0, 256, (64, 64, 3), np.uint8)).save(image, "PNG")
                archive.writestr(f"{number}.png", image.getvalue())
        self.stack = upload(session, target, packed.getvalue())

    def work(self, seconds: float) -> None:
        """Ask for so long."""
        end = time.monotonic() + seconds
        for number in cycle(range(20)):
            if time.monotonic() > end:
                return
            self._time(self.predictions, "POST", "/predictions", {"images": [number]})
            self._time(self.pictures, "GET", f"/images/{number}/thumbnail")
            self._time(self.pictures, "GET", f"/images/{number}/display?low=1&high=200")

    def _time(self, seconds: list[float], method: str, path: str, body: dict[str, list[int]] | None = None) -> None:
        started = time.monotonic()
        answer = self._session.request(method, self.stack + path, json=body, timeout=120)
        self.refused += answer.status_code >= 400
        seconds.append(time.monotonic() - started)


def p95(seconds: list[float]) -> float:
    """The time that 95% stay below."""
    return float(np.percentile(seconds, 95)) if seconds else 0.0


@contextlib.contextmanager
def asking(stack: str, paths: list[str], *, hang_up_after: float | None = None) -> Iterator[None]:
    """Ask for all of ``paths`` at once, and again, from the attacker's address; leave, or do not, meanwhile."""
    stopped = threading.Event()

    def ask(path: str) -> None:
        with session_from(_ATTACKER) as session:
            while not stopped.is_set():
                with contextlib.suppress(requests.RequestException):
                    if path.startswith("/predictions"):
                        body = {"images": list(range(64))}
                        session.post(stack + path, json=body, timeout=hang_up_after or 300)
                    else:
                        session.get(stack + path, timeout=hang_up_after or 300)

    threads = [threading.Thread(target=ask, args=(path,), daemon=True) for path in paths]
    for thread in threads:
        thread.start()
    time.sleep(1)
    try:
        yield
    finally:
        stopped.set()


def beside(target: Target, archive: bytes, paths: list[str], hang_up_after: float | None = None) -> AttackOutcome:
    """How long an honest client's requests take meanwhile."""
    with session_from(_ATTACKER) as attacker, session_from(_HONEST) as session:
        stack = upload(attacker, target, archive)
        honest = Honest(session, target)
        with asking(stack, paths, hang_up_after=hang_up_after):
            honest.work(12)
        started = time.monotonic()
        attacker.delete(stack, timeout=TIMEOUT_SECONDS)
        deleted = time.monotonic() - started
    predictions, pictures = p95(honest.predictions), p95(honest.pictures)
    figures = (
        f"another's prediction {predictions:.2f} s, thumbnail and window {pictures:.2f} s (p95 of "
        f"{len(honest.predictions)}); deleted in {deleted:.1f} s"
    )
    return AttackOutcome(max(predictions, pictures, deleted) <= P95_SECONDS and not honest.refused, figures)


@attack(
    "huge thumbnails",
    "200 images of 100 megapixels in 1.7 MB; twelve thumbnails asked for and hung up, again and again",
)
def huge_thumbnails(target: Target) -> AttackOutcome:
    """What stopped everybody once."""
    paths = [f"/images/{number}/thumbnail" for number in range(12)]
    return beside(target, zip_of(black_png(10_000, 10_000, 8, _RGB), 200), paths, hang_up_after=0.5)


@attack("huge windows", "windows of 100 megapixels of 16-bit RGBA, asked for and hung up")
def huge_windows(target: Target) -> AttackOutcome:
    """Eight at once."""
    paths = [f"/images/{number}/display?low={number + 1}&high=900" for number in range(8)]
    return beside(target, zip_of(black_png(10_000, 10_000, 16, _RGBA), 20), paths, hang_up_after=1.0)


@attack("huge predictions", "six predictions at once of 64 images of 16 megapixels each")
def huge_predictions(target: Target) -> AttackOutcome:
    """Just below what is worked on in strips."""
    return beside(target, zip_of(black_png(4000, 4000, 8, _RGB), 200), ["/predictions"] * 6)


@attack("answers nobody reads", "200 answers of up to 800 MB that are asked for and not read")
def unread_answers(target: Target) -> AttackOutcome:
    """Values and originals."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("0.png", black_png(10_000, 10_000, 16, _RGBA))
        packed.writestr("1.png", black_png(3900, 4000, 16, _RGBA))
        noise = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (3000, 3000, 3), np.uint8)).save(noise, "PNG")
        packed.writestr("2.png", noise.getvalue())
    with contextlib.ExitStack() as exits:
        attacker, session = exits.enter_context(session_from(_ATTACKER)), exits.enter_context(session_from(_HONEST))
        stack = upload(attacker, target, archive.getvalue()).removeprefix(target.address)
        honest = Honest(session, target)
        for number in range(200):
            connection = exits.enter_context(target.connect(_ATTACKER))
            kind = ("0/values", "1/values", "2", f"0/display?low={number + 1}&high=900")[number % 4]
            connection.sendall(f"GET {stack}/images/{kind} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        honest.work(12)
    slowest = max(p95(honest.predictions), p95(honest.pictures))
    return AttackOutcome(slowest <= P95_SECONDS and not honest.refused, f"another's requests {slowest:.2f} s (p95)")
