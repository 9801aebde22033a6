"""Measure what a program meets: starts the app, and prints how soon it is there and answers over HTTP.

    python -m scripts.benchmark_server STACK.zip

Prints the time until the server is ready, its memory then and whether it has loaded PyTorch; the first prediction of
one image; and the time from the last byte of the stack's upload to the results of all its images, several times.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import requests

from scripts.dev._app_server import AppServer, running_app

PIECE_BYTES = 1024 * 1024
SETTLE_SECONDS = 6.0  # the batch size is measured at the first start of all
TIMEOUT_SECONDS = 600
ZIP = {"Content-Type": "application/zip"}


def main(arguments: Sequence[str] | None = None, *, settle_seconds: float = SETTLE_SECONDS) -> int:
    """Run the command line; return the exit code: 0, or 2 where the stack is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.benchmark_server",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stack", type=Path, metavar="STACK.zip")
    parser.add_argument("--repeats", type=int, default=5, help="uploads of the stack (default 5)")
    options = parser.parse_args(arguments)
    if not options.stack.is_file():
        print(f"{options.stack} is not a file.", file=sys.stderr)
        return 2
    started = time.perf_counter()
    with running_app(None) as server:
        while requests.get(f"{server.address}/api/health/ready", timeout=TIMEOUT_SECONDS).status_code != 200:
            time.sleep(0.01)
        print(f"ready after:  {time.perf_counter() - started:.2f} s")
        print(f"memory then:  {_resident_bytes(server) / 1e6:.0f} MB, PyTorch {_torch(server)}", flush=True)
        _, stack = upload(server, options.stack)
        began = time.perf_counter()
        predict(server, stack, {"images": [0]})
        print(f"first prediction of one image:  {1000 * (time.perf_counter() - began):.0f} ms", flush=True)
        time.sleep(settle_seconds)
        measure(server, options.stack, options.repeats)
    return 0


def measure(server: AppServer, path: Path, repeats: int) -> None:
    """Print the time from each upload's last byte to all results."""
    seconds = []
    for _ in range(repeats):
        sent, stack = upload(server, path)
        answer = predict(server, stack, {})
        seconds.append(time.perf_counter() - sent)
        requests.delete(f"{server.address}/api/v1/stacks/{stack}", timeout=TIMEOUT_SECONDS)
    images, size = len(answer["predictions"]), answer["batch_size"]
    print(
        f"last byte sent to {images:,} results:  median {statistics.median(seconds):.2f} s "
        f"({min(seconds):.2f} to {max(seconds):.2f}), batches of {size}"
    )


def upload(server: AppServer, path: Path) -> tuple[float, str]:
    """Upload ``path``; when its last byte was sent (``perf_counter``), and the id of the stack."""
    sent = 0.0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
        sent = time.perf_counter()

    response = requests.post(f"{server.address}/api/v1/stacks", data=pieces(), headers=ZIP, timeout=TIMEOUT_SECONDS)
    response.raise_for_status()
    return sent, str(response.json()["stack_id"])


def predict(server: AppServer, stack: str, body: dict[str, Any]) -> dict[str, Any]:
    """The predictions of INT8 for images of ``stack``."""
    address = f"{server.address}/api/v1/stacks/{stack}/predictions"
    response = requests.post(address, json=body, timeout=TIMEOUT_SECONDS)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


def _resident_bytes(server: AppServer) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def _torch(server: AppServer) -> str:
    return "loaded" if "libtorch" in Path(f"/proc/{server.pid}/maps").read_text() else "not loaded"


if __name__ == "__main__":
    sys.exit(main())
