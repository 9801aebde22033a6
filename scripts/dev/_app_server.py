"""Runs a Streamlit script in a server process of its own, for the browser tests and the viewer's benchmark."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.base.settings import PROJECT_ROOT

START_SECONDS = 240  # on the busiest machine; on others four are enough
STOP_SECONDS = 60  # likewise; it deletes its files


@dataclass(frozen=True, slots=True)
class AppServer:
    """A running server: its address, without a slash at the end, and its process."""

    address: str
    pid: int


@contextlib.contextmanager
def app_server(
    script: Path,
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    base_path: str = "",
    open_files: int | None = None,
) -> Iterator[AppServer]:
    """Run ``script`` with ``streamlit run`` on a free port until the block ends; its output goes to ``log``.

    Args:
        open_files: how many files it may have open.

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
    if open_files is not None:
        command = ["bash", "-c", f'ulimit -n {open_files}; exec "$@"', "bash", *command]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=PROJECT_ROOT,
            env={"AISR_IMAGENET_AT_START": "no", **os.environ, **(environment or {})},  # no download by itself
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_up(server, address, log)
        yield AppServer(address, server.pid)
    finally:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextlib.contextmanager
def running_app(url: str | None) -> Iterator[AppServer]:
    """The app at ``url`` (then the process is unknown: ``pid`` 0), or one of our own until the block ends."""
    if url:
        yield AppServer(url.rstrip("/"), pid=0)
        return
    with tempfile.TemporaryDirectory() as folder:
        environment = {"AISR_WORK_DIR": str(Path(folder) / "work")}
        with app_server(PROJECT_ROOT / "app.py", Path(folder) / "log", environment=environment) as server:
            yield server


def _free_port() -> int:
    """Not one of those that the system gives to connections by itself, one of which could take it meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _wait_until_up(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):  # noqa: S310
            return
        time.sleep(0.1)
    raise RuntimeError(f"The server did not start:\n{log.read_text(errors='replace')[-3000:]}")
