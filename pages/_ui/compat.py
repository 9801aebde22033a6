"""The one place that reaches into Streamlit's internals."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable
from types import FrameType

from streamlit.runtime import Runtime


def drop_ended_sessions() -> None:
    """Let go of sessions whose time to reconnect is over; their state, and the stacks that hang on it, go with them.

    Streamlit forgets such a session only when another one connects or leaves, which on a quiet server may be hours
    later. Where Streamlit has changed, it stays at that.
    """
    manager = getattr(Runtime.instance(), "_session_mgr", None) if Runtime.exists() else None
    cache = getattr(getattr(manager, "_session_storage", None), "_cache", None)
    if cache is not None and hasattr(cache, "expire") and cache.expire():
        gc.collect()  # a session's objects refer to each other in circles


def on_stop(notify: Callable[[], None], *, end_requests_after: int) -> None:
    """When the process is told to stop, call ``notify``, and end what is still running so many seconds later.

    Streamlit's server waits for running requests without an end, and gives no way to say otherwise: a slow upload
    would keep the process, and its files, until it is killed. To be called from the running server's main thread;
    anywhere else nothing happens. ``notify`` runs inside a signal handler: it may not take a lock.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        previous = signal.getsignal(number)
        config = getattr(getattr(previous, "__self__", None), "config", None)  # of uvicorn's Server
        if config is None or not callable(previous):
            continue
        config.timeout_graceful_shutdown = end_requests_after

        def stop(number: int, frame: FrameType | None, previous: Callable[..., object] = previous) -> None:
            notify()
            previous(number, frame)

        signal.signal(number, stop)
