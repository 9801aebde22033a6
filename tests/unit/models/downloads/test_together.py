"""Downloads that are cancelled, and several of one file at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.errors import Cancelled, DownloadRejected
from tests.file_server import Answer, ServeFile
from tests.helpers import SECONDS, wait_until
from tests.unit.models.downloads.downloading import (
    BROKEN,
    CONTENT,
    GOOD,
    HALF,
    OTHER,
    assert_whole,
    fetch,
    part_of,
)


def test_cancelling_keeps_what_has_come_for_the_next_time(serve: ServeFile, place: Path) -> None:
    server, cancelled = serve(GOOD), threading.Event()

    def cancel_in_the_middle(done: int, total: int | None) -> None:
        if done >= 100_000:
            cancelled.set()

    with pytest.raises(Cancelled):
        fetch(server, place, cancelled=cancelled, on_progress=cancel_in_the_middle)
    assert not place.exists()
    kept = part_of(place).read_bytes()
    assert 100_000 <= len(kept) < len(CONTENT)
    assert CONTENT.startswith(kept)
    fetch(server, place)
    assert_whole(place)
    assert server.requested == [None, f"bytes={len(kept)}-"]


def test_cancelled_before_it_began_nothing_is_asked_for_or_left(serve: ServeFile, place: Path) -> None:
    server, cancelled = serve(GOOD), threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        fetch(server, place, cancelled=cancelled)
    assert server.requested == []
    assert list(place.parent.iterdir()) == []


def test_cancelling_ends_the_pause_between_two_attempts(serve: ServeFile, place: Path) -> None:
    server, cancelled = serve(BROKEN, GOOD), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(fetch, server, place, cancelled=cancelled, first_pause_seconds=1000.0)
        try:
            wait_until(lambda: part_of(place).exists() and part_of(place).stat().st_size == HALF, "the break")
        finally:
            cancelled.set()
        with pytest.raises(Cancelled):
            done.result(SECONDS)
    assert len(server.requested) == 1


def test_two_at_once_download_once(serve: ServeFile, place: Path) -> None:
    server, waited = serve(replace(GOOD, stall_after=HALF)), threading.Event()

    def watch(done: int, total: int | None) -> None:
        if total is None:
            waited.set()
            server.release.set()

    with ThreadPoolExecutor(3) as pool:
        for result in [pool.submit(fetch, server, place, on_progress=watch) for _ in range(3)]:
            result.result(SECONDS)
    assert waited.is_set()
    assert len(server.requested) == 1
    assert_whole(place)


def test_cancelling_one_of_two_leaves_the_other_alone(serve: ServeFile, place: Path) -> None:
    server, waits, cancelled = serve(replace(GOOD, stall_after=HALF)), threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, server, place)
        wait_until(lambda: part_of(place).exists() and part_of(place).stat().st_size > 0, "the first to begin")
        second = pool.submit(fetch, server, place, cancelled=cancelled, on_progress=lambda done, total: waits.set())
        assert waits.wait(SECONDS)
        cancelled.set()
        with pytest.raises(Cancelled):
            second.result(SECONDS)
        assert part_of(place).exists()
        assert not first.done()
        server.release.set()
        first.result(SECONDS)
    assert_whole(place)


@pytest.mark.parametrize(("content", "kept"), [(CONTENT, True), (OTHER, False)], ids=["interrupted", "rejected"])
def test_when_the_first_of_two_fails_the_second_takes_over(
    serve: ServeFile, place: Path, content: bytes, kept: bool
) -> None:
    """Its part may have gone from under the second one, which must then not write where nobody looks."""
    waits = threading.Event()
    server = serve(replace(Answer(content), stall_after=HALF), GOOD)
    stop_first = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, server, place, cancelled=stop_first)
        wait_until(lambda: part_of(place).exists() and part_of(place).stat().st_size > 0, "the first to begin")
        second = pool.submit(fetch, server, place, on_progress=lambda done, total: waits.set())
        assert waits.wait(SECONDS)
        if kept:
            stop_first.set()
        server.release.set()
        with pytest.raises(Cancelled if kept else DownloadRejected):
            first.result(SECONDS)
        second.result(SECONDS)
    assert_whole(place)
    assert (server.requested[1] is not None) == kept
