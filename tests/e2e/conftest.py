"""A real server and a real Chromium for the browser tests."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "test-artifacts"
START_SECONDS = 60


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def streamlit_server(script: Path, *, environment: Mapping[str, str] | None = None, base_path: str = "") -> Iterator[str]:
    """Run ``script`` with ``streamlit run`` on a free port and yield its address, without a slash at the end.

    Raises:
        RuntimeError: the server ended, or was not up within ``START_SECONDS``; the text ends with its output.
    """
    port = _free_port()
    address = f"http://127.0.0.1:{port}{base_path}"
    command = [
        sys.executable, "-m", "streamlit", "run", str(script),
        "--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true",
        "--server.fileWatcherType", "none", "--browser.gatherUsageStats", "false",
        "--server.baseUrlPath", base_path,
    ]  # fmt: skip
    ARTIFACTS.mkdir(exist_ok=True)
    log = ARTIFACTS / f"server-{script.stem}-{port}.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                break
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One headless Chromium for a module: ``CHROMIUM``, or the first ``chromium`` on the path."""
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium: install it, or name it in the CHROMIUM environment variable")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep each phase's report on the item, so that ``open_page`` can see whether the test failed."""
    report = yield
    setattr(item, f"report_{report.when}", report)
    return report


@pytest.fixture
def context_options(request: pytest.FixtureRequest) -> dict[str, object]:
    """Options of the browser context: a wide window, or what the test's ``context`` mark says."""
    mark = request.node.get_closest_marker("context")
    return {"viewport": {"width": 1280, "height": 900}, **(mark.kwargs if mark else {})}


@pytest.fixture
def page(browser: Browser, context_options: dict[str, object], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh page; an error in its JavaScript fails the test, and a failing test leaves a screenshot."""
    context = browser.new_context(**context_options)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    report = getattr(request.node, "report_call", None)
    if errors or (report is not None and report.failed):
        ARTIFACTS.mkdir(exist_ok=True)
        opened.screenshot(path=ARTIFACTS / f"{re.sub(r'[^0-9A-Za-z-]+', '_', request.node.name)}.png")
    context.close()
    assert not errors, f"JavaScript errors on the page: {errors}"
