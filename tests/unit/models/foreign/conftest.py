"""What tests of foreign models share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.base.settings import Settings
from core.base.worker_process import WorkerProcess
from core.models.foreign.importer import WORKER, import_model

Start = Callable[[str], AbstractContextManager[WorkerProcess]]


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Gives one process for all tests: it takes seconds to start."""
    with WorkerProcess(WORKER) as process:
        yield lambda _: nullcontext(process)


@pytest.fixture
def take(start: Start, settings: Settings, tmp_path: Path) -> Any:
    """``import_model`` of an order into ``tmp_path / "made"``."""
    return partial(import_model, folder=tmp_path / "made", settings=settings, worker=start)
