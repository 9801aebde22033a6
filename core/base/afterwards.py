"""What has to be done once an object is gone, in a thread of its own."""

from __future__ import annotations

import logging
import queue
import threading
import weakref
from collections.abc import Callable
from functools import cache, partial

_log = logging.getLogger(__name__)


def when_gone(owner: object, do: Callable[..., object], *arguments: object) -> None:
    """Call ``do`` with ``arguments``, which must not refer to ``owner``, soon after ``owner`` is no more.

    Objects may end in the middle of anything, also while their thread holds a lock that ``do`` takes: with a
    finalizer alone it would wait for itself for ever.
    """
    weakref.finalize(owner, _calls().put, partial(do, *arguments)).atexit = False


@cache
def _calls() -> queue.SimpleQueue[Callable[[], object]]:
    calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()  # its put may be called from finalizers

    def work() -> None:
        while True:
            try:
                calls.get()()
            except Exception:  # what is left to do for others is done all the same
                _log.exception("something went wrong while cleaning up")

    threading.Thread(target=work, name="afterwards", daemon=True).start()
    return calls
