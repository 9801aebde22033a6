"""The one place that reaches into Streamlit's internals."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import cast

from starlette.exceptions import HTTPException
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from uvicorn import Config


def drop_ended_sessions() -> None:
    """Let go of sessions whose time to reconnect is over; their state, and the stacks that hang on it, go with them.

    Streamlit forgets such a session only when another one connects or leaves, which on a quiet server may be hours
    later. Where Streamlit has changed, it stays at that.
    """
    manager = getattr(Runtime.instance(), "_session_mgr", None) if Runtime.exists() else None
    cache = getattr(getattr(manager, "_session_storage", None), "_cache", None)
    if cache is not None and hasattr(cache, "expire") and cache.expire():
        gc.collect()  # a session's objects refer to each other in circles


def tab_id() -> str:
    """Streamlit's name of the tab whose page is being drawn; it is new after each loading."""
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context is not None else ""


def draw_tab(tab: str) -> None:
    """Have the page of another tab drawn anew, with its fields as they are. Where Streamlit has changed, that waits."""
    try:
        runtime = Runtime.instance()
        info = runtime._session_mgr.get_active_session_info(tab)
        loop = runtime._get_async_objs().eventloop
    except (AttributeError, RuntimeError):
        return
    if info is not None:
        loop.call_soon_threadsafe(info.session.request_rerun, None)


def uvicorn_config() -> Config | None:
    """The configuration of the server that runs this app, which Streamlit makes and shows to nobody.

    It is found by way of uvicorn's signal handlers. To be called from the server's main thread, while it starts;
    anywhere else there is none.
    """
    config = getattr(getattr(signal.getsignal(signal.SIGTERM), "__self__", None), "config", None)
    return config if isinstance(config, Config) else None


def limit_uploaded_files(session_bytes: int, total_bytes: int) -> None:
    """Bound what Streamlit keeps in memory of the files that its own upload fields receive, until a session ends.

    A session may send any number of files to the route, whether the page has a field for them or not.
    """
    manager = cast("MemoryUploadedFileManager", Runtime.instance().uploaded_file_mgr)
    files, add = manager.file_storage, manager.add_file
    lock = threading.Lock()

    def add_within_limits(session_id: str, file: UploadedFileRec) -> None:
        with lock:
            sizes = {
                session: sum(len(kept.data) for kept in list(own.values())) for session, own in list(files.items())
            }
            if sizes.get(session_id, 0) + len(file.data) > session_bytes:
                raise HTTPException(413, "Too many files are open on this page. Remove one, or reload the page.")
            if sum(sizes.values()) + len(file.data) > total_bytes:
                raise HTTPException(503, "The server holds as many files as it can. Try again in a few minutes.")
            add(session_id, file)

    manager.add_file = add_within_limits  # type: ignore[method-assign]


def on_stop(notify: Sequence[Callable[[], None]], *, end_requests_after: int) -> None:
    """When the process is told to stop, call each of ``notify``, and end what is still running so many seconds later.

    Streamlit's server waits for running requests without an end, and gives no way to say otherwise: a slow upload
    would keep the process, and its files, until it is killed. To be called from the running server's main thread;
    anywhere else nothing happens. ``notify`` runs inside a signal handler: it may take no lock.
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
            for told in notify:
                told()
            previous(number, frame)

        signal.signal(number, stop)
