"""What unit tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.base.settings import Settings
from core.models.model import Model
from core.stacks.sources import open_source
from core.stacks.sources.source import Source
from tests.fake_worker import SetAccident, use_fake_worker

Open = Callable[..., Source]


@pytest.fixture
def open_zip(tmp_path: Path) -> Iterator[Open]:
    """Open the bytes of a ZIP, under settings of one's choice; everything is closed afterwards."""
    opened: list[Source] = []

    def open_bytes(data: bytes, **limits: int) -> Source:
        path = tmp_path / f"{len(opened)}.zip"
        path.write_bytes(data)
        opened.append(open_source(path, Settings(**limits)))
        return opened[-1]

    yield open_bytes
    for archive in opened:
        archive.close()


@pytest.fixture
def fake_worker(starter: Model, monkeypatch: pytest.MonkeyPatch) -> SetAccident:
    """Optimisations take no time; see ``tests.fake_worker``."""
    return use_fake_worker(starter, monkeypatch)


def names(archive: Source) -> list[str]:
    """The images, in order."""
    return [entry.name for entry in archive.entries]


def skipped(archive: Source) -> dict[str, str]:
    """The files left out, each with its code."""
    return {item.name: item.code for item in archive.skipped}
