"""Measure what a person feels in the viewer: drives Chromium with a stack of your own and prints the figures.

    python -m scripts.benchmark_viewer STACK.zip
    python -m scripts.benchmark_viewer STACK.zip --labels 10000

Starts the app by itself, or uses a running one (``--url``). Needs a system Chromium and the development requirements.
Memory is the proportional set size of all processes of the browser, and of the server where it was started here.
With ``--labels`` it is in Label mode, so many images have a label, and what follows from them is learned before
anything is measured, unless that takes longer than ``--learn``; a label given by a key is measured, too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from scripts.dev._app_server import AppServer, running_app
from scripts.dev._chromium import find_chromium
from scripts.dev._memory import memory

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SINGLE_MS = (200, 800)  # between single presses, at random: before, during and after the page's own update
HELD_MS = (33, 33)  # a held key repeats about 30 times a second
SCROLL_PX, SCROLL_MS = 40, 3000  # per frame, and for how long: a brisk turn of the wheel
OPEN_MS = 300_000
CLASSES = 5  # of labels that are given
MB = 1e6


@dataclass(frozen=True, slots=True)
class Keys:
    """Milliseconds from each key press to its image drawn on the canvas, and to the end of the frame with it."""

    drawn: list[float]
    shown: list[float]
    missed: int

    def lines(self, name: str) -> list[str]:
        """Two lines for a person."""
        return [
            f"{name}, drawn:  {_percentiles(self.drawn)}  ({len(self.drawn)} presses, {self.missed} without an image)",
            f"{name}, frame:  {_percentiles(self.shown)}",
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, or 2 where something is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.benchmark_viewer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stack", type=Path, metavar="STACK.zip")
    parser.add_argument("--url", help="address of a running app; without it one is started")
    parser.add_argument("--keys", type=int, default=100, help="single key presses (default 100)")
    parser.add_argument("--labels", type=int, default=0, metavar="N", help="label the first N images of the stack")
    parser.add_argument(
        "--learn", type=float, default=600, metavar="SECONDS", help="wait at most so long (default 600)"
    )
    parser.add_argument("--visit", type=int, default=2000, help="most images visited with a held key (default 2,000)")
    options = parser.parse_args(arguments)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return _missing("Playwright is missing: pip install -r requirements-dev.txt")
    chromium = find_chromium()
    if chromium is None:
        return _missing("Chromium is missing: install it, or name it in the environment variable CHROMIUM.")
    if not options.stack.is_file():
        return _missing(f"{options.stack} is not a file.")
    print(f"{options.stack.name}, {options.stack.stat().st_size / MB:,.0f} MB; {_machine()}", flush=True)
    with running_app(options.url) as server, sync_playwright() as playwright:
        # Without a window the frame rate is that of a window on a common screen: 60 a second.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        measure(browser, server, options.stack, options.keys, options.visit, options.labels, options.learn)
        browser.close()
    return 0


def measure(browser: Browser, server: AppServer, stack: Path, keys: int, visit: int, labels: int, learn: float) -> None:
    """Open ``stack``, label its first images, and print the figures one by one."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(OPEN_MS)
    page.add_init_script(path=Path(__file__).with_suffix(".js"))
    page.goto(server.address)
    page.get_by_role("button", name="Try a sample stack").wait_for()
    server_before = memory([server.pid])
    page.locator("input[type=file]").set_input_files(stack)
    page.locator("[data-ref=canvas][data-painted=sharp]").wait_for()
    print(f"upload's end to first image:  {page.evaluate('viewerBenchmark.openedAfter()') / 1000:.2f} s", flush=True)
    count = int(page.locator("[data-ref=position]").inner_text().split("/")[1])
    if labels:
        labels = min(labels, count - 1 - keys)
        label(page, server.address, labels, learn)
    page.locator("[data-ref=stage]").focus()
    page.wait_for_timeout(2000)
    browser_before = memory(_browser_processes())

    single = press(page, min(keys, count - 1), SINGLE_MS)
    print(*single.lines("single key"), sep="\n", flush=True)
    if labels:
        page.get_by_role("slider", name="Position in the stack").fill(str(labels + 1))
        page.locator("[data-ref=stage]").focus()
        page.wait_for_timeout(2000)
        given = press(page, min(keys, count - 1 - labels), SINGLE_MS, key="1")
        print(*given.lines("a label by its key, until the next image"), sep="\n", flush=True)
    page.keyboard.press("Home")
    page.wait_for_timeout(2000)
    with other_client(server.address, stack) as recognised:
        shared = press(page, min(keys, count - 1), SINGLE_MS)
    print(*shared.lines("single key, while another client's images are recognised"), sep="\n")
    print(f"  images recognised meanwhile: {recognised():,}", flush=True)
    page.keyboard.press("Home")
    page.wait_for_timeout(2000)
    visited = min(visit, count - 1)
    held = press(page, visited, HELD_MS)
    print(*held.lines("held key"), sep="\n", flush=True)
    gallery = page.locator("[data-ref=scroller]")
    frames: list[float] = gallery.evaluate(f"(element) => viewerBenchmark.scroll(element, {SCROLL_PX}, {SCROLL_MS})")
    print(f"gallery scrolling, frame:  {_percentiles(frames)}", flush=True)
    page.wait_for_timeout(2000)
    browser_growth = memory(_browser_processes()) - browser_before
    print(f"page memory after visiting {visited:,} images:  {browser_growth / MB:+,.0f} MB")
    if server.pid:
        growth = memory([server.pid]) - server_before
        print(f"server memory since before the upload:  {growth / MB:+,.0f} MB (now {memory([server.pid]) / MB:,.0f})")


def label(page: Page, address: str, count: int, seconds: float) -> None:
    """Turn Label mode on, label the first ``count`` images, and wait until all is learned, at most so long."""
    used: list[str] = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    own = next(found.group(1) for url in used if (found := re.search(r"/stacks/([^/]+)/images", url)))
    at = f"{address}/api/v1/stacks/{own}"
    given: dict[str, str | None] = {str(index): f"class {1 + index % CLASSES}" for index in range(count)}
    classes = [f"class {1 + number}" for number in range(CLASSES)]
    requests.post(f"{at}/labels", json={"images": given, "classes": classes}, timeout=600).raise_for_status()
    page.get_by_text("Label", exact=True).click()
    page.get_by_role("button", name=re.compile("^Label class 1:")).wait_for()
    until = time.monotonic() + seconds
    while (learned := requests.get(f"{at}/teaching", timeout=600).json())["pending"] and time.monotonic() < until:
        page.wait_for_timeout(2000)
    still = f"; the server is still learning ({learned['note']})" if learned["pending"] else ""
    print(f"{count:,} images have a label{still}", flush=True)


def press(page: Page, times: int, pause_ms: tuple[int, int], key: str = "ArrowRight") -> Keys:
    """Press ``key``, which brings the next image, ``times`` times, with pauses between these bounds."""
    pauses = random.Random(0)  # noqa: S311 - the same pauses in every run
    for _ in range(times):
        page.keyboard.down(key)  # again without going up: what a held key sends
        if key != "ArrowRight":
            page.keyboard.up(key)  # held down, it is one label
        page.wait_for_timeout(pauses.randint(*pause_ms))
    page.keyboard.up(key)
    page.wait_for_timeout(1000)
    report: dict[str, Any] = page.evaluate("viewerBenchmark.take()")
    drawn, shown = zip(*report["keys"], strict=True)
    return Keys(list(drawn), list(shown), report["missed"])


@contextlib.contextmanager
def other_client(address: str, stack: Path) -> Iterator[Callable[[], int]]:
    """Another client that uploads ``stack`` again and again and has all of it recognised, until the block ends.

    Yields how many images that were.
    """
    stop = threading.Event()
    images = 0

    def work() -> None:
        nonlocal images
        stacks = f"{address}/api/v1/stacks"
        while not stop.is_set():
            with stack.open("rb") as file:
                opened = requests.post(stacks, data=file, headers={"Content-Type": "application/zip"}, timeout=600)
            location = f"{stacks}/{opened.json()['stack_id']}"
            with requests.post(
                f"{location}/predictions", json={}, headers={"Accept": "application/x-ndjson"}, stream=True, timeout=600
            ) as answer:
                for _ in answer.iter_lines():
                    images += 1
                    if stop.is_set():
                        break
            requests.delete(location, timeout=600)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield lambda: images
    finally:
        stop.set()
        thread.join()


def _percentiles(values: Sequence[float]) -> str:
    median, p95 = statistics.median(values), statistics.quantiles(values, n=20, method="inclusive")[-1]
    return f"median {median:.1f} ms, p95 {p95:.1f} ms, max {max(values):.1f} ms"


def _machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} CPUs{load}"


def _browser_processes() -> list[int]:
    """The processes of the browser: this one's descendants that Chromium marks with a type."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])

    def is_ours(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False

    return [pid for pid in parents if is_ours(pid) and b"--type=" in _command(pid)]


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _missing(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
