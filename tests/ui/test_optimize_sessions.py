"""Calibrations of several people: one at a time, and each goes with its session."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from io import BytesIO

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from core.base.afterwards import when_gone
from core.base.errors import Cancelled
from core.optimize.calibration import split
from core.optimize.quantize import LADDER
from core.optimize.run import CalibrationPlan
from core.runtime import get_runtime
from pages._ui.optimize.form import start
from pages._ui.shell.session import Session
from tests.builders import photo_png, zip_bytes
from tests.fake_worker import SetAccident
from tests.helpers import SECONDS, wait_until
from tests.ui.app import ROUTER, close, session
from tests.ui.optimize_page import COUNT, calibrate, open_page, press, press_calibrate, texts

pytestmark = pytest.mark.torch  # the FP32 model is made from the weights


def test_closing_the_stack_ends_the_run(app: AppTest, fake_worker: SetAccident) -> None:
    fake_worker("Calibrate and quantize:endless")
    open_page(app)
    next(button for button in app.button if button.label == "Calibrate on this stack").click().run()
    (job,) = session(app).optimizations
    session(app).close()
    job.wait(SECONDS)
    assert job.status == "cancelled"


@pytest.fixture
def apps() -> Iterator[list[AppTest]]:
    """Four visitors."""
    made = [AppTest.from_file(ROUTER, default_timeout=SECONDS).run() for _ in range(4)]
    yield made
    for app in made:
        close(app)


def test_four_visitors_calibrate_one_at_a_time(fake_worker: SetAccident, apps: list[AppTest]) -> None:
    fake_worker("Calibrate and quantize:endless")
    jobs = [press_calibrate(open_page(app)) for app in apps]
    wait_until(lambda: len(workers()) == 1 and not jobs[0].waiting, "the first has its worker")
    assert [job.waiting for job in jobs] == [False, True, True, True]
    assert get_runtime().recognition.queue.waiting == 3
    apps[2].run()
    (bar,) = apps[2].get("progress")
    assert bar.proto.text == "Waiting for a turn · 2 before you"
    press(apps[3], "Cancel")
    assert (jobs[3].status, jobs[3].seconds) == ("cancelled", 0.0)
    assert "Nothing has changed" in texts(apps[3])
    press(apps[0], "Cancel")
    wait_until(lambda: not jobs[1].waiting, "the next has its turn")
    assert jobs[2].waiting
    assert len(workers()) <= 1


def test_calibrations_end_with_their_sessions_and_leave_nothing(fake_worker: SetAccident) -> None:
    fake_worker("Calibrate and quantize:endless")
    end_sessions_that_are_gone()
    store, queue = get_runtime().store, get_runtime().recognition.queue
    before = store.usage
    sessions = [Session() for _ in range(3)]
    for one in sessions:
        one.open(BytesIO(zip_bytes({f"{seed}.png": photo_png(seed=seed) for seed in range(COUNT)})), "a.zip")
    opened = store.usage
    for one in sessions:
        assert one.stack is not None
        start(one, CalibrationPlan(one.stack, split(COUNT, COUNT // 2)), LADDER[0])
    jobs = [one.optimizations[0] for one in sessions]
    wait_until(lambda: len(workers()) == 1 and queue.waiting == 2, "one works, two wait")
    assert store.usage.bytes > opened.bytes, "what it writes is counted before it is written"
    wait_until(lambda: any((store.folder / "models").iterdir()), "it begins to write")
    del one, sessions
    gc.collect()
    for job in jobs:
        job.wait(SECONDS)
    assert [job.status for job in jobs] == ["cancelled"] * 3
    wait_until(lambda: (workers(), queue.running, queue.waiting) == ([], 0, 0), "nobody works or waits")
    wait_until(lambda: store.usage == before, "all room is given back")
    assert list((store.folder / "models").iterdir()) == []


def end_sessions_that_are_gone() -> None:
    """Those of other tests; what is given to be done comes one after the other."""
    gc.collect()
    ended = threading.Event()
    when_gone(Session(), ended.set)
    assert ended.wait(SECONDS)


def workers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "tests.fake_worker" in one.cmdline()]


def test_more_than_a_few_do_not_wait(app: AppTest, fake_worker: SetAccident) -> None:
    queue, cancelled = get_runtime().recognition.queue, threading.Event()
    most = get_runtime().settings.max_heavy_waiting

    def wait(number: int) -> None:
        with suppress(Cancelled), queue.turn(f"client {number}", "theirs", cancelled, lane="heavy"):
            pass

    with ThreadPoolExecutor(most) as pool, queue.turn("somebody", "theirs", lane="heavy"):
        try:
            waiting = [pool.submit(wait, number) for number in range(most)]
            wait_until(lambda: queue.waiting == most, "as many as may wait do")
            job = press_calibrate(open_page(app))
            job.wait(SECONDS)
            app.run()
            assert job.status == "failed"
            assert "The server is busy. Try again in a few minutes." in texts(app)
        finally:
            cancelled.set()
    assert all(one.done() for one in waiting)


def test_a_made_model_counts_for_as_long_as_its_session(app: AppTest, fake_worker: SetAccident, low_gate: None) -> None:
    open_page(app)
    end_sessions_that_are_gone()
    before = get_runtime().store.usage
    job = calibrate(app)
    assert job.model is not None
    on_disk = sum(path.stat().st_size for path in job.model.folder.iterdir())
    assert get_runtime().store.usage == replace(before, bytes=before.bytes + on_disk)
