"""Measure how a batch job's results open in the app: rows made up, which refer to few small images again and again.

    python -m scripts.measure_outcome --rows 1000000

Starts the app, and drives Chromium: seconds until the first images and answers are there, until all rows are read, and
of each filter and order; then memory of the server (proportional set size), before and after. CPU seconds are those of
the server and its processes: other work on the machine hardly changes them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
from PIL import Image

from core.base.settings import PROJECT_ROOT
from core.batch.manifest import UNIT_FILES
from core.batch.output import Output
from core.batch.parts import Row, table, write_part
from core.engines.registry import default_engine
from core.recognition.results import TOP_K, Answer, ClassScore
from scripts.dev._app_server import AppServer, app_server
from scripts.dev._chromium import find_chromium
from scripts.dev._memory import family, memory

if TYPE_CHECKING:
    from playwright.sync_api import Page

CLASSES = 1_000
DIFFERENT = 4_000  # images: a page shows each once
FACTS = {"model": "made up", "model_checksum": "0" * 64, "engine": default_engine().name, "engine_checksum": "0" * 12}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="default: a million")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make the job there, or take the one that is there")
    options = parser.parse_args(arguments)
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary) / "made"
        if not (folder / "job").exists():
            make_job(folder, options.rows)
        environment = {"AISR_STACK_ROOTS": str(folder), "AISR_WORK_DIR": str(Path(temporary) / "work")}
        script = PROJECT_ROOT / "app.py"
        with (
            app_server(script, Path(temporary) / "log", environment=environment) as server,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(120_000)
            page.goto(server.address.replace("127.0.0.1", "localhost"))
            measure(page, server, folder / "job")
            browser.close()
    return 0


def make_job(folder: Path, rows: int, *, different: int = DIFFERENT, classes: int = CLASSES) -> None:
    """Write ``rows`` rows as ``scripts.batch`` does, and the images that they are about."""
    random = np.random.default_rng(0)
    photos = folder / "photos"
    photos.mkdir(parents=True)
    paths = [photos / f"photo {number:04}.png" for number in range(different)]
    for path in paths:
        Image.fromarray(random.integers(0, 256, (48, 64, 3), np.uint8)).save(path)
    files = [(str(path), path.stat().st_size) for path in paths]
    output = Output(str(folder / "job"))
    output.prepare({"source": str(photos), **FACTS})
    output.agree("engine", FACTS)
    for number, start in enumerate(range(0, rows, UNIT_FILES)):
        count = min(UNIT_FILES, rows - start)
        top = random.integers(0, classes, (count, TOP_K)).tolist()
        confidences = (-np.sort(-random.dirichlet([0.3] * TOP_K, count), axis=1)).tolist()
        known = random.random(count).tolist()
        part = []
        for place in range(count):
            name, size = files[(start + place) % different]
            best = zip(top[place], confidences[place], strict=True)
            scores = (ClassScore(f"class {label}", share) for label, share in best)
            part.append(Row(name, None, 0, size, Answer(tuple(scores), known[place])))
        write_part(output, number, table(part, FACTS), 0.0)


def measure(page: Page, server: AppServer, job: Path) -> None:
    """Open the job, and print the figures one by one."""
    field = page.get_by_role("textbox", name="Folder of this computer")
    field.fill(str(job))
    field.press("Tab")
    before = memory(family(server.pid))
    reading = page.get_by_text("Reading the other rows")
    filters = page.get_by_role("button", name="Filter the job")

    def first_screen() -> None:
        page.get_by_role("button", name="Open", exact=True).click()
        page.locator("[data-ref=canvas][data-painted=sharp]").wait_for()
        page.locator("[data-ref=best]").filter(has_text="class ").wait_for()

    began = time.perf_counter()
    _tell(server, "first image and answers", first_screen)
    filters.wait_for()
    reading.wait_for(state="detached")
    print(f"all rows read after {time.perf_counter() - began:.2f} s")
    filters.click()  # they stay open
    for name, choices, part in (
        ("a class", {"Class": "class 7 ("}, ""),
        ("another class, least sure first", {"Class": "class 8 (", "Order": "Least sure first"}, ""),
        ("all, least sure first", {"Class": "Any", "Order": "Least sure first"}, ""),
        (
            "none of the classes, least known first",
            {"Shows": "None of the classes", "Order": "Least known first"},
            "",
        ),
        ("a part of a name", {"Shows": "All"}, "photo 0042"),
    ):
        _rest(page)
        for label, option in choices.items():
            field = page.get_by_role("combobox", name=label)
            field.click()
            field.fill(option)  # only some of a thousand options are in the page
            page.get_by_role("option").filter(has_text=option).first.click()
        page.get_by_label("Name contains").fill(part)
        _tell(server, name, partial(_show, page))
        print("  " + page.locator(".st-key-outcome").inner_text().replace("\n", " "))
    _rest(page)
    filters.click()
    print(f"memory of the server: {before / 1e6:,.0f} MB before, {memory(family(server.pid)) / 1e6:,.0f} MB after")


def _show(page: Page) -> None:
    """Press the button, and wait for other images."""
    before = page.locator(".st-key-outcome").inner_text()
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Show").click()
    page.wait_for_function("before => document.querySelector('.st-key-outcome')?.innerText !== before", arg=before)
    page.locator("[data-ref=canvas][data-painted=sharp]").wait_for()


def _rest(page: Page) -> None:
    """Wait until the page is drawn: what is filled in before would be lost."""
    page.locator("[data-test-script-state=notRunning]").wait_for()


def _tell(server: AppServer, name: str, work: Callable[[], None]) -> None:
    cpu, began = _cpu(server), time.perf_counter()
    work()
    print(f"{name}: {time.perf_counter() - began:.2f} s, {_cpu(server) - cpu:.2f} s of CPU", flush=True)


def _cpu(server: AppServer) -> float:
    times = psutil.Process(server.pid).cpu_times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    sys.exit(main())
