"""Runs a Streamlit script for the tests."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.dev._app_server import app_server

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
def streamlit_server(
    script: Path, *, environment: Mapping[str, str] | None = None, base_path: str = ""
) -> Iterator[str]:
    """Run ``script`` and yield its address, without a slash at the end; its output goes to the test artifacts."""
    ARTIFACTS.mkdir(exist_ok=True)
    log = ARTIFACTS / f"server-{script.stem}-{next(_numbers)}.log"
    with app_server(script, log, environment=environment, base_path=base_path) as server:
        yield server.address
