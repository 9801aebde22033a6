"""Locks on files: one holder at a time, until its file is closed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from core.base.file_lock import lock, open_locked, try_lock
from tests.helpers import SECONDS


def test_one_holds_the_lock_until_its_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = open_locked(path)
    assert held is not None
    assert open_locked(path) is None
    with path.open() as other:
        assert not try_lock(other)
        held.close()
        assert try_lock(other)
        assert open_locked(path) is None
    again = open_locked(path)
    assert again is not None
    again.close()


def test_who_waits_gets_it_once_it_is_free(tmp_path: Path) -> None:
    path, got = tmp_path / "lock", threading.Event()

    def wait() -> None:
        with path.open() as file:
            lock(file)
            got.set()

    with path.open("w") as file:
        assert try_lock(file)
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not got.is_set()
    waiting.join(SECONDS)
    assert got.is_set()


def test_a_file_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_locked(tmp_path / "none" / "lock")
