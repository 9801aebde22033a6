"""A server of files, and where a file goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.file_server import ServeFile, file_servers


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def serve() -> Iterator[ServeFile]:
    with file_servers() as serve:
        yield serve


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the file goes, in a folder that is not there yet."""
    return tmp_path / "data" / "downloads" / "weights.pth"
