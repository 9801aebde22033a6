"""Honest clients in a process of their own, which attackers do not slow down; prints what they met as JSON.

    python -m scripts.dev._honest http://127.0.0.1:8501 60 10

Each has an address of its own, uploads 20 small images, and has them recognised again and again, with a look at a
thumbnail in between.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

import requests

from core.engines.registry import default_engine
from scripts.dev.attacks.uploads import ZIP, session_from
from scripts.dev.load import make_archive

IMAGES = 20
PAUSE_SECONDS = 0.5  # a person looks at the answer
TIMEOUT_SECONDS = 120.0
PATIENCE_SECONDS = 30.0  # also at the end, for somebody who is refused


@dataclass(slots=True)
class Met:
    """Seconds of each kind of request that was answered, and for how long requests were refused until one was not."""

    uploads: list[float] = field(default_factory=list)
    predictions: list[float] = field(default_factory=list)
    thumbnails: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def live(address: str, number: int, data: bytes, until: float) -> Met:
    """One client, until a time of the monotonic clock; it has every image recognised at least once."""
    met = Met()
    with session_from(f"127.1.0.{number + 1}") as session:
        try:
            send = lambda: session.post(f"{address}/api/v1/stacks", data=data, headers=ZIP, timeout=TIMEOUT_SECONDS)  # noqa: E731
            stack = f"{address}/api/v1/stacks/{_insist(send, met, met.uploads, until).json()['stack_id']}"
            ask = {"engine": default_engine().name}
            while not met.thumbnails or time.monotonic() < until:
                answer = _insist(
                    lambda: session.post(f"{stack}/predictions", json=ask, timeout=TIMEOUT_SECONDS),
                    met,
                    met.predictions,
                    until,
                )
                if len(answer.json()["predictions"]) != IMAGES:
                    met.failures.append("an answer is not whole")
                place = len(met.predictions) % IMAGES
                _insist(
                    lambda place=place: session.get(f"{stack}/images/{place}/thumbnail", timeout=TIMEOUT_SECONDS),  # type: ignore[misc]
                    met,
                    met.thumbnails,
                    until,
                )
                time.sleep(PAUSE_SECONDS)
            session.delete(stack, timeout=TIMEOUT_SECONDS)
        except (requests.RequestException, RuntimeError) as error:
            met.failures.append(f"{type(error).__name__}: {error}"[:200])
    return met


def _insist(send: Callable[[], requests.Response], met: Met, seconds: list[float], until: float) -> requests.Response:
    """Send a request again while it is refused, as programs do; note how long it took, and how long it was refused."""
    began = time.monotonic()
    while True:
        started = time.monotonic()
        answer = send()
        if answer.status_code not in (429, 503):
            if not answer.ok:
                raise RuntimeError(f"{answer.status_code} {answer.text[:100]}")
            seconds.append(time.monotonic() - started)
            met.refused.append(started - began)
            return answer
        if time.monotonic() > max(until, began + PATIENCE_SECONDS):
            met.refused.append(time.monotonic() - began)
            raise RuntimeError(f"refused to the end: {answer.status_code} {answer.text[:100]}")
        time.sleep(min(float(answer.headers.get("Retry-After", 1)), 1.0))


def main(address: str, seconds: float, clients: int) -> int:
    """Run so many clients and print what each met."""
    archives = [make_archive(number, IMAGES) for number in range(clients)]
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(clients) as pool:
        met = list(pool.map(lambda number: live(address, number, archives[number], until), range(clients)))
    print(json.dumps([asdict(one) for one in met]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
