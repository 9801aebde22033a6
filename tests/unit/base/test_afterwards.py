"""What is done once an object is gone."""

from __future__ import annotations

import gc
import threading

from core.base.afterwards import when_gone
from tests.helpers import wait_until


class Owner:
    """Something that other things hang on."""


def test_it_is_done_in_order_once_the_object_is_gone_and_a_failure_stops_nothing() -> None:
    owner, done = Owner(), list[str]()

    def fail() -> None:
        raise ValueError

    when_gone(owner, done.append, "first given")
    when_gone(owner, fail)
    other = Owner()
    when_gone(other, done.append, "another's")
    assert done == []
    del owner
    wait_until(lambda: done == ["first given"], "it is done")
    del other
    wait_until(lambda: done == ["first given", "another's"], "also after a failure")


def test_an_object_may_end_while_its_thread_holds_the_lock_that_is_needed() -> None:
    """As the collector of garbage may decide at any moment."""
    lock, done = threading.Lock(), threading.Event()

    def needs_lock() -> None:
        with lock:
            done.set()

    def end_one() -> None:
        with lock:
            circle: list[object] = [owner := Owner()]
            circle.append(circle)
            when_gone(owner, needs_lock)
            del owner, circle
            gc.collect()
            assert not done.is_set()

    thread = threading.Thread(target=end_one, daemon=True)
    thread.start()
    wait_until(done.is_set, "nobody waits for ever")
