"""Attacks by what files are called: names that take long to tidy, to tell apart or to sort."""

from __future__ import annotations

import http.client
import io
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from functools import partial

from PIL import Image

from scripts.dev.attacks.registry import TIMEOUT_SECONDS, AttackOutcome, Target, attack
from scripts.dev.attacks.uploads import ZIP

FILES = 19_900
LONGEST_WAIT_SECONDS = 0.05
EVERY_SECONDS = 0.001
ANOTHER_CLIENT = "127.0.0.2"
REQUEST = b"GET /api/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
ACCENTS = "\u0301\u0323"  # in the wrong order
# Of each file, as long as the list of so many may be (512 bytes for each).
NAMES: Mapping[str, Callable[[int], str]] = {
    "225 folders": lambda number: f"{'1/' * 225}{number:05d}.png",
    "55 folders": lambda number: f"{'1234567/' * 55}{number:05d}.png",
    "220 numbers": lambda number: f"{'a1' * 220}{number:05d}.png",
    "one number": lambda number: f"{'1' * 440}{number:05d}.png",
    "accents": lambda number: f"a{ACCENTS * 110}{number:05d}.png",
    "letters that become two": lambda number: f"{'ß1' * 140}{number:05d}.png",
    "equal names": lambda number: f"{'1/' * 60}x.png",
    "other files": lambda number: f"{'1/' * 220}{number:05d}.txt" if number else "a.png",
}


@attack("names", f"{len(NAMES)} archives of 19,900 files each, with names that are slow to sort or to tell apart")
def hostile_names(target: Target) -> AttackOutcome:
    """How long does another client wait for an answer meanwhile that costs nothing?"""
    before = _longest_wait(target, partial(time.sleep, 1))
    waits = {kind: _longest_wait(target, partial(_upload, target, _archive(name))) for kind, name in NAMES.items()}
    worst = max(waits, key=lambda kind: waits[kind])
    milliseconds = ", ".join(f"{kind}: {1000 * seconds:.0f}" for kind, seconds in waits.items())
    text = f"longest wait of another client in ms: {milliseconds}; before: {1000 * before:.0f}"
    return AttackOutcome(waits[worst] <= before + LONGEST_WAIT_SECONDS, text)


def _longest_wait(target: Target, work: Callable[[], None]) -> float:
    """Seconds until the slowest answer begins to one request after the other, for as long as ``work`` runs."""
    longest = 0.0
    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        started = time.perf_counter()
        with target.connect(ANOTHER_CLIENT) as connection:
            connection.sendall(REQUEST)
            if b" 200 " not in connection.recv(1024):
                raise RuntimeError("another client gets no answer")
        longest = max(longest, time.perf_counter() - started)
        time.sleep(EVERY_SECONDS)
    return longest


def _upload(target: Target, archive: bytes) -> None:
    """Without requests, which works on what it sends and gets in this process, beside the one who waits."""
    connection = http.client.HTTPConnection(*target.host, timeout=3 * TIMEOUT_SECONDS)
    connection.request("POST", "/api/v1/stacks?name=a.zip", archive, ZIP)
    answer = connection.getresponse()
    while answer.read(1 << 16):
        pass
    connection.close()
    if answer.status == 201:  # or there is no room for the next one
        connection.request("DELETE", answer.headers["Location"])
        connection.getresponse().read()
        connection.close()


def _archive(name: Callable[[int], str]) -> bytes:
    image, packed = io.BytesIO(), io.BytesIO()
    Image.new("L", (1, 1)).save(image, "PNG")
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(FILES):
            shuffled = number * 7919 % FILES  # what is in order already is quickly sorted
            archive.writestr(zipfile.ZipInfo(name(shuffled)), image.getvalue())
    return packed.getvalue()
