"""Runs a Streamlit script for the tests."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from scripts.dev._app_server import AppServer, app_server
from tests.helpers import wait_until

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "test-artifacts"


def folders(folder: Path, model_cache: Path) -> dict[str, str]:
    """The environment of a server with folders of its own below ``folder``; compiled models are made once for all."""
    return {
        "AISR_WORK_DIR": str(folder / "work"),
        "AISR_DATA_DIR": str(folder / "data"),
        "AISR_CACHE_DIR": str(model_cache),
        "AISR_BATCH_SIZE": "8",  # measuring the best one costs ten times what a test recognises
    }


_numbers = itertools.count(1)


@contextlib.contextmanager
def streamlit_process(
    script: Path, *, environment: Mapping[str, str] | None = None, base_path: str = ""
) -> Iterator[AppServer]:
    """Run ``script``; its output goes to the test artifacts."""
    ARTIFACTS.mkdir(exist_ok=True)
    log = ARTIFACTS / f"server-{script.stem}-{next(_numbers)}.log"
    with app_server(script, log, environment=environment, base_path=base_path) as server:
        yield server


@contextlib.contextmanager
def streamlit_server(
    script: Path, *, environment: Mapping[str, str] | None = None, base_path: str = ""
) -> Iterator[str]:
    """Run ``script`` and yield its address, without a slash at the end."""
    with streamlit_process(script, environment=environment, base_path=base_path) as server:
        yield server.address


@contextlib.contextmanager
def held_worker(server: AppServer, module: str = "core.optimize.worker") -> Iterator[None]:
    """The worker that the server starts now stands still until the block ends: what a page shows meanwhile stays."""
    found: list[psutil.Process] = []

    def is_there() -> bool:
        for child in psutil.Process(server.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if module in child.cmdline():
                    found.append(child)
        return bool(found)

    wait_until(is_there, "the worker")
    found[0].suspend()
    yield
    with contextlib.suppress(psutil.NoSuchProcess):  # cancelling ends it
        found[0].resume()
