"""Many clients at once: each uploads a stack of its own and has it recognised over HTTP; prints what that costs.

    python -m scripts.load --clients 50

Starts the app by itself, or uses a running one (``--url``). One client goes first and works through all stacks alone;
then every stack has a client of its own, all at once, and must get the same answers. All stacks have the same file
names and different images, so an answer for somebody else's image would show. At the end more requests than the queue
holds are sent together: they must be answered, or refused at once.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import requests
from PIL import Image

from core.engines.registry import default_engine
from scripts.dev._app_server import AppServer, running_app
from scripts.dev._memory import PeakMemory

ENGINE = default_engine().name
SIDES = (375, 500)  # height and width of the generated images: a common photo
TIMEOUT_SECONDS = 300
REFUSED = (429, 503)
TOLERANCE = 1e-3  # of a probability: the engine's own, where images meet others in a batch
MB = 1e6

Answers = list[tuple[str, str, float]]  # name, class and probability of each image, in the order of the stack


@dataclass(slots=True)
class SimulatedVisit:
    """What one client got: seconds from request to answer, its answers, and how often it was sent away."""

    upload_seconds: float = 0.0
    predict_seconds: float = 0.0
    answers: Answers = field(default_factory=list)
    own: bool = True
    refused: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Load:
    """All visits of one part of the measurement, and how long they took together."""

    visits: list[SimulatedVisit]
    seconds: float

    @property
    def images(self) -> int:
        """Images that were recognised."""
        return sum(len(visit.answers) for visit in self.visits)

    @property
    def images_per_second(self) -> float:
        """From the first byte of an upload to the last answer."""
        return self.images / self.seconds

    def lines(self, name: str) -> list[str]:
        """For a person."""
        refused = sum((visit.refused for visit in self.visits), Counter[int]())
        return [
            f"{name}:  {self.images_per_second:.0f} images/s  ({self.images:,} images in {self.seconds:.1f} s)",
            f"  upload:   {_percentiles([visit.upload_seconds for visit in self.visits])}",
            f"  predict:  {_percentiles([visit.predict_seconds for visit in self.visits])}",
            f"  refused:  {_counts(refused)}",
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, or 1 where a client got a wrong answer or none."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", help="address of a running app; without it one is started")
    parser.add_argument("--clients", type=int, default=50, help="clients at once (default 50)")
    parser.add_argument("--images", type=int, default=20, help="generated images in each stack (default 20)")
    parser.add_argument("--stack", type=Path, metavar="STACK.zip", help="every client uploads this one instead")
    parser.add_argument("--overload", type=int, default=300, help="requests at once at the end; 0 for none (300)")
    options = parser.parse_args(arguments)
    if options.stack and not options.stack.is_file():
        print(f"{options.stack} is not a file.", file=sys.stderr)
        return 1
    print(f"{options.clients} clients; {_machine()}", flush=True)
    if options.stack:
        archives = [options.stack.read_bytes()] * options.clients
    else:
        with ThreadPoolExecutor() as pool:
            archives = list(pool.map(lambda seed: make_archive(seed, options.images), range(options.clients)))
    with running_app(options.url) as server:
        return measure(server, archives, options.overload)


def measure(server: AppServer, archives: Sequence[bytes], overload: int) -> int:
    """Print the figures one by one; return the exit code."""
    _wait_until_ready(server.address)
    visit(server.address, archives[0])  # what is only slow the first time
    memory = PeakMemory(server.pid)
    with memory.watching():
        alone = _timed(lambda: [visit(server.address, archive) for archive in archives])
        print(*alone.lines("one client"), sep="\n", flush=True)
        with ThreadPoolExecutor(len(archives)) as pool:
            together = _timed(lambda: list(pool.map(lambda archive: visit(server.address, archive), archives)))
        print(*together.lines(f"{len(archives)} clients"), sep="\n")
        print(f"throughput against one client:  {together.images_per_second / alone.images_per_second:.2f}", flush=True)
        wrong = sum(not agree(one, other) for one, other in zip(alone.visits, together.visits, strict=True))
        print(f"clients with wrong answers:  {wrong}", flush=True)
        if overload:
            print(*overloaded(server.address, archives[0], overload), sep="\n", flush=True)
    print(f"peak memory of the server:  {f'{memory.peak / MB:,.0f} MB' if server.pid else 'not known from here'}")
    return int(wrong > 0)


def visit(address: str, archive: bytes) -> SimulatedVisit:
    """Upload, recognise, look at an image, delete. Refused requests are sent again when the server says so."""
    result = SimulatedVisit()
    with requests.Session() as session:
        started = time.perf_counter()
        created = _insist(
            lambda: session.post(
                f"{address}/api/v1/stacks",
                data=archive,
                headers={"Content-Type": "application/zip"},
                timeout=TIMEOUT_SECONDS,
            ),
            result.refused,
        )
        result.upload_seconds = time.perf_counter() - started
        stack = f"{address}/api/v1/stacks/{created['stack_id']}"
        started = time.perf_counter()
        predicted = _insist(
            lambda: session.post(f"{stack}/predictions", json={"engine": ENGINE}, timeout=TIMEOUT_SECONDS),
            result.refused,
        )
        result.predict_seconds = time.perf_counter() - started
        for one in predicted["predictions"]:
            label, confidence = one["top"][0].values() if one["top"] else ("error", 0.0)
            result.answers.append((one["filename"], label, confidence))
        original = session.get(f"{stack}/images/0", timeout=TIMEOUT_SECONDS).content
        with zipfile.ZipFile(io.BytesIO(archive)) as mine:
            result.own = original == mine.read(created["images"][0][0])
        session.delete(stack, timeout=TIMEOUT_SECONDS).raise_for_status()
    return result


def agree(one: SimulatedVisit, other: SimulatedVisit) -> bool:
    """Whether both got the same answers, for images that were theirs."""
    return (
        one.own
        and other.own
        and len(one.answers) == len(other.answers)
        and all(
            (name, label) == (other_name, other_label) and abs(confidence - other_confidence) < TOLERANCE
            for (name, label, confidence), (other_name, other_label, other_confidence) in zip(
                one.answers, other.answers, strict=True
            )
        )
    )


def overloaded(address: str, archive: bytes, count: int) -> list[str]:
    """``count`` predictions for one stack, sent together; nobody tries again."""
    begin = threading.Barrier(count)
    created = requests.post(
        f"{address}/api/v1/stacks",
        data=archive,
        headers={"Content-Type": "application/zip"},
        timeout=TIMEOUT_SECONDS,
    ).json()
    stack = f"{address}/api/v1/stacks/{created['stack_id']}"

    def ask(_: int) -> tuple[int, float]:
        with requests.Session() as session:
            begin.wait()
            started = time.perf_counter()
            response = session.post(f"{stack}/predictions", json={"engine": ENGINE}, timeout=TIMEOUT_SECONDS)
            return response.status_code, time.perf_counter() - started

    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(ask, range(count)))
    requests.delete(stack, timeout=TIMEOUT_SECONDS)
    statuses = Counter(status for status, _ in answers)
    refusals = [seconds for status, seconds in answers if status in REFUSED]
    return [
        f"{count} requests at once:  answered {_counts(statuses)}",
        f"  until refused:  {_percentiles(refusals) if len(refusals) > 1 else 'none was'}",
    ]


def make_archive(seed: int, images: int) -> bytes:
    """A ZIP of ``images`` pictures that no other seed has: blurred coloured noise, about as large as photos."""
    random = np.random.default_rng(seed)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for number in range(images):
            coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), np.uint8))
            smooth = np.asarray(coarse.resize(SIDES[::-1], Image.Resampling.BICUBIC), np.int16)
            noisy = np.clip(smooth + random.integers(-8, 9, smooth.shape), 0, 255).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(noisy).save(file, "PNG", compress_level=1)
            archive.writestr(f"image_{number:03}.png", file.getvalue())
    return buffer.getvalue()


def _insist(send: Callable[[], requests.Response], refused: Counter[int]) -> Any:
    while True:
        response = send()
        if response.status_code not in REFUSED:
            response.raise_for_status()
            return response.json()
        refused[response.status_code] += 1
        time.sleep(float(response.headers["Retry-After"]))


def _timed(work: Callable[[], list[SimulatedVisit]]) -> Load:
    started = time.perf_counter()
    visits = work()
    return Load(visits, time.perf_counter() - started)


def _wait_until_ready(address: str) -> None:
    while requests.get(f"{address}/api/health/ready", timeout=TIMEOUT_SECONDS).status_code != 200:
        time.sleep(0.2)


def _percentiles(seconds: Sequence[float]) -> str:
    p95 = statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return f"median {statistics.median(seconds):.2f} s, p95 {p95:.2f} s, max {max(seconds):.2f} s"


def _counts(statuses: Counter[int]) -> str:
    return ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items())) or "none"


def _machine() -> str:
    return f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
