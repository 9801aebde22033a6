"""A thread pool whose jobs have priorities and can be moved forward while they wait.

``concurrent.futures`` has no priorities, and one shared pool for everything (instead of one per stack)
is what keeps the number of decoding threads at the number of cores however many people are at work.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from enum import IntEnum

from core.base.budget import SMALL_BYTES, ByteBudget
from core.base.byte_lane import Reservation

CLOSE_SECONDS = 1.0
LARGE_NICENESS = 10  # of threads that do large work: a tenth of the cores beside one that does small work


class Priority(IntEnum):
    """Lower runs first."""

    VISIBLE = 0  # somebody is looking at the place where this image belongs
    RECOGNIZE = 1  # somebody is waiting for a result
    INGEST = 2  # nobody waits yet


class PoolJob(Future[None]):
    """Work that runs exactly once, however often it is submitted.

    ``memory`` is how many bytes it takes for a moment, which come out of the share of ``client``, and ``cost`` what it
    counts there.
    """

    def __init__(self, work: Callable[[], None], *, memory: int = 0, cost: int | None = None, client: str = "") -> None:
        super().__init__()
        self._work = work
        self._claim = threading.Lock()
        self.memory = memory
        self.cost = cost
        self.client = client
        self.priority: Priority | None = None
        self.reservation: Reservation | None = None

    def run_once(self) -> None:
        """Run the work if no thread has begun it yet; never raises (the future holds the exception)."""
        work = self._begin()
        if work is None:
            return
        try:
            work()
        except BaseException as error:  # handed to whoever waits on the future
            del work
            _forget_locals(error)
            self.set_exception(error)
        else:
            self.set_result(None)

    def fail(self, error: BaseException) -> None:
        """End with ``error`` unless a thread has begun the work."""
        if self._begin() is not None:
            self.set_exception(error)

    def _begin(self) -> Callable[[], None] | None:
        """The work, for the first who asks."""
        if not self._claim.acquire(blocking=False) or not self.set_running_or_notify_cancel():
            return None
        work = self._work
        del self._work  # what the work refers to must not live as long as its future
        return work


_Queue = queue.PriorityQueue[tuple[int, int, PoolJob | None]]


def _forget_locals(error: BaseException | None) -> None:
    """Free what the failed functions worked with, pixels and files: a future keeps its error, and so their frames."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


class WorkerPool:
    """``threads`` daemon threads that run the most urgent job first, first come first served within a priority.

    Jobs that take much memory wait for it in ``budget``, and then have as many threads of their own, so that nothing
    small ever waits for them: the system shares the cores between threads much more finely than jobs could.
    """

    def __init__(self, threads: int, budget: ByteBudget) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._small: _Queue = queue.PriorityQueue()
        self._large: _Queue = queue.PriorityQueue()
        self._threads = [
            threading.Thread(target=work, args=(jobs,), name=f"{name}-{number}", daemon=True)
            for name, work, jobs in (("decode", _work, self._small), ("decode-large", _work_in_background, self._large))
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: PoolJob, priority: Priority) -> PoolJob:
        """Queue ``job``, or move it forward when it already waits at a lower priority.

        Raises:
            Busy: the budget is closed.
        """
        if job.priority is not None and priority >= job.priority:
            return job
        if job.memory > SMALL_BYTES:
            self._submit_large(job, priority)
        else:
            job.priority = priority
            self._put(job)
        return job

    def _submit_large(self, job: PoolJob, priority: Priority) -> None:
        with self._lock:
            job.priority = priority
            if job.reservation is not None:
                job.reservation.hasten(priority)
                if job.reservation.state == "granted":
                    self._put(job)
                return
            reservation = self._budget.request(job.memory, client=job.client, urgency=priority, cost=job.cost)
            job.reservation = reservation
            job.add_done_callback(lambda _: reservation.release())

        def granted(future: Future[None]) -> None:
            if error := future.exception():
                job.fail(error)
            else:
                self._put(job)

        reservation.granted.add_done_callback(granted)

    def _put(self, job: PoolJob) -> None:
        assert job.priority is not None  # noqa: S101 - submit has set it
        jobs = self._small if job.memory <= SMALL_BYTES else self._large
        jobs.put((job.priority, next(self._order), job))

    def close(self) -> None:
        """Stop the threads once their current jobs end; waiting jobs are cancelled, so that nobody waits on them.

        Jobs that go on for more than ``CLOSE_SECONDS`` are left behind.
        """
        for jobs in (self._small, self._large):
            for _ in self._threads:
                jobs.put((-1, next(self._order), None))
        end = time.monotonic() + CLOSE_SECONDS
        for thread in self._threads:
            thread.join(timeout=max(end - time.monotonic(), 0))
        for jobs in (self._small, self._large):
            with suppress(queue.Empty):
                while True:
                    _, _, job = jobs.get_nowait()
                    if job is not None:
                        job.cancel()


def yield_cores() -> None:
    """Let the calling thread have what others leave of the cores; the system knows each thread's share (Linux)."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LARGE_NICENESS)


def _work_in_background(jobs: _Queue) -> None:
    yield_cores()
    _work(jobs)


def _work(jobs: _Queue) -> None:
    while True:
        _, _, job = jobs.get()
        if job is None:
            return
        job.run_once()
        del job  # a finished job must not keep its stack alive until the next one arrives
