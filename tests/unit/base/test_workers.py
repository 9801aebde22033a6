"""The worker pool: urgent jobs first, each exactly once, and its exceptions where somebody waits for them."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from core.base.budget import ByteBudget
from core.base.settings import MIB
from core.base.workers import PoolJob, Priority, WorkerPool

SECONDS = 10.0


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(1, ByteBudget(256 * MIB))
    yield pool
    pool.close()


class Gate:
    """A job that keeps the pool's one thread busy until it is opened."""

    def __init__(self, pool: WorkerPool) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()
        self.job = pool.submit(PoolJob(self._wait), Priority.VISIBLE)
        assert self._reached.wait(SECONDS)

    def _wait(self) -> None:
        self._reached.set()
        assert self._opened.wait(SECONDS)

    def open(self) -> None:
        self._opened.set()


def recorder(order: list[str], name: str) -> PoolJob:
    return PoolJob(lambda: order.append(name))


def test_urgent_jobs_run_first_and_equal_ones_in_order_of_arrival(pool: WorkerPool) -> None:
    order: list[str] = []
    gate = Gate(pool)
    plan = [
        ("ingest 1", Priority.INGEST),
        ("recognize 1", Priority.RECOGNIZE),
        ("ingest 2", Priority.INGEST),
        ("visible 1", Priority.VISIBLE),
        ("recognize 2", Priority.RECOGNIZE),
        ("visible 2", Priority.VISIBLE),
    ]
    jobs = [pool.submit(recorder(order, name), priority) for name, priority in plan]
    assert order == []
    gate.open()
    for job in jobs:
        job.result(SECONDS)
    assert order == ["visible 1", "visible 2", "recognize 1", "recognize 2", "ingest 1", "ingest 2"]


def test_no_small_job_waits_for_a_thread_that_works_on_a_large_one(pool: WorkerPool) -> None:
    reached, opened = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        assert opened.wait(SECONDS)

    large = pool.submit(PoolJob(wait, memory=100 * MIB), Priority.VISIBLE)
    assert reached.wait(SECONDS)
    pool.submit(PoolJob(lambda: None, memory=MIB), Priority.INGEST).result(SECONDS)
    assert not large.done()
    opened.set()
    large.result(SECONDS)


def test_a_waiting_job_moves_forward_and_never_back(pool: WorkerPool) -> None:
    order: list[str] = []
    gate = Gate(pool)
    first, second, third = (recorder(order, name) for name in ("first", "second", "third"))
    pool.submit(first, Priority.INGEST)
    pool.submit(second, Priority.INGEST)
    pool.submit(third, Priority.RECOGNIZE)
    pool.submit(second, Priority.VISIBLE)
    pool.submit(third, Priority.INGEST)
    assert (second.priority, third.priority) == (Priority.VISIBLE, Priority.RECOGNIZE)
    gate.open()
    first.result(SECONDS)
    assert order == ["second", "third", "first"]


def test_a_job_runs_once_however_often_and_wherever_it_is_submitted() -> None:
    pool = WorkerPool(4, ByteBudget(256 * MIB))
    runs: list[int] = []
    lock = threading.Lock()

    def count(number: int) -> None:
        time.sleep(0.0005)
        with lock:
            runs.append(number)

    jobs = [PoolJob(lambda number=number: count(number)) for number in range(50)]

    def submit_all() -> None:
        for priority in (Priority.INGEST, Priority.RECOGNIZE, Priority.VISIBLE):
            for job in jobs:
                assert pool.submit(job, priority) is job

    threads = [threading.Thread(target=submit_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for job in jobs:
        job.result(SECONDS)
    last = pool.submit(PoolJob(lambda: None), Priority.INGEST)  # behind every second entry of the jobs above
    last.result(SECONDS)
    pool.close()
    assert sorted(runs) == list(range(50))


def test_an_exception_reaches_whoever_waits_and_does_not_stop_the_thread(pool: WorkerPool) -> None:
    def fail() -> None:
        raise KeyError("broken")

    failed = pool.submit(PoolJob(fail), Priority.INGEST)
    with pytest.raises(KeyError, match="broken"):
        failed.result(SECONDS)
    assert pool.submit(PoolJob(lambda: None), Priority.INGEST).result(SECONDS) is None


def test_a_finished_job_no_longer_holds_what_it_worked_on(pool: WorkerPool) -> None:
    class Heavy:
        def work(self) -> None: ...

    heavy = Heavy()
    reference = weakref.ref(heavy)
    job = pool.submit(PoolJob(heavy.work), Priority.INGEST)
    job.result(SECONDS)
    pool.submit(PoolJob(lambda: None), Priority.INGEST).result(SECONDS)
    del heavy
    gc.collect()
    assert reference() is None
    assert job.done()


def test_close_lets_the_running_job_end_and_drops_the_waiting_ones() -> None:
    order: list[str] = []
    before = set(threading.enumerate())
    pool = WorkerPool(1, ByteBudget(256 * MIB))
    threads = set(threading.enumerate()) - before
    gate = Gate(pool)
    waiting = [pool.submit(recorder(order, str(number)), Priority.VISIBLE) for number in range(5)]
    closer = threading.Thread(target=pool.close)
    closer.start()
    time.sleep(0.05)
    assert closer.is_alive(), "close must wait for the running job"
    gate.open()
    closer.join(SECONDS)
    assert not closer.is_alive()
    assert gate.job.result(0) is None
    assert order == []
    assert not any(job.done() and not job.cancelled() for job in waiting)
    assert len(threads) == 2, "one for small jobs, and one for large ones"
    assert not any(thread.is_alive() for thread in threads)


def test_a_failed_job_keeps_its_error_and_nothing_that_the_work_held() -> None:
    class Pixels:
        pass

    gone: list[weakref.ref[Pixels]] = []

    def work() -> None:
        pixels = Pixels()
        gone.append(weakref.ref(pixels))
        try:
            raise OSError("full")
        except OSError as error:
            raise ValueError("no space") from error

    gc.disable()
    try:
        job = PoolJob(work)
        job.run_once()
        assert gone[0]() is None
    finally:
        gc.enable()
    with pytest.raises(ValueError, match="no space"):
        job.result()
