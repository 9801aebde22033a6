"""Tabs of one browser share a session, which stays for a while after the last of them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from io import BytesIO

import pytest

from core.base.background import BackgroundJob
from pages._ui.shell.browsers import Browsers, Visit
from tests.builders import photo_png, zip_bytes
from tests.helpers import SECONDS, wait_until


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Endless(BackgroundJob):
    """Runs until it is cancelled."""

    def work(self) -> None:
        assert self.cancelled.wait(SECONDS)
        self.check_cancelled()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def browsers(clock: Clock) -> Browsers:
    return Browsers(100, clock)


@pytest.fixture
def visit(browsers: Browsers) -> Iterator[Visit]:
    visit = browsers.visit("mine", "tab 1")
    visit.session.open(BytesIO(zip_bytes({"1.png": photo_png()})), "photos.zip")
    yield visit
    visit.session.close()


def test_tabs_of_a_browser_share_a_session_and_another_browser_has_its_own(browsers: Browsers, visit: Visit) -> None:
    again = browsers.visit("mine", "tab 2")
    assert again.session is visit.session
    assert browsers.others("mine", "tab 1") == ["tab 2"]
    assert browsers.visit("theirs", "tab 3").session is not visit.session
    assert browsers.others("theirs", "tab 3") == []


def test_without_a_cookie_each_tab_is_alone(browsers: Browsers) -> None:
    first, second = browsers.visit("", "tab 1"), browsers.visit("", "tab 2")
    assert first.session is not second.session
    assert browsers.others("", "tab 1") == []
    assert len(browsers) == 0


def test_a_stack_is_found_again_and_what_ran_has_ended(browsers: Browsers) -> None:
    first = browsers.visit("mine", "tab 1")
    session = first.session
    session.open(BytesIO(zip_bytes({"1.png": photo_png()})), "photos.zip")
    stack, job = session.stack, Endless("endless")
    session.watch(job)
    job.start()
    second = browsers.visit("mine", "tab 2")
    del first
    gc.collect()
    wait_until(lambda: browsers.others("mine", "") == ["tab 2"], "the first tab has gone")
    assert job.status == "running", "the second one looks on"
    del second
    gc.collect()
    job.wait(SECONDS)
    assert job.status == "cancelled"
    assert browsers.visit("mine", "tab 3").session.stack is stack
    session.close()


def test_after_a_while_nothing_is_kept(browsers: Browsers, clock: Clock) -> None:
    visit = browsers.visit("mine", "tab 1")
    session = visit.session
    session.open(BytesIO(zip_bytes({"1.png": photo_png()})), "photos.zip")
    del visit
    gc.collect()
    wait_until(lambda: not browsers.others("mine", ""), "the tab has gone")
    clock.now = 99
    browsers.sweep()
    assert len(browsers) == 1
    clock.now = 101
    browsers.sweep()
    assert len(browsers) == 0
    assert browsers.visit("mine", "tab 2").session is not session
    session.close()


def test_an_open_tab_is_never_forgotten(browsers: Browsers, visit: Visit, clock: Clock) -> None:
    clock.now = 1_000_000
    browsers.sweep()
    assert browsers.visit("mine", "tab 2").session is visit.session


def test_who_had_nothing_open_leaves_nothing(browsers: Browsers) -> None:
    for number in range(100):
        browsers.visit(f"stranger {number}", "tab")
    gc.collect()
    wait_until(lambda: len(browsers) == 0, "strangers are forgotten")
