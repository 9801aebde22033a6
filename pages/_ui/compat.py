"""The one place that reaches into Streamlit's internals."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, cast
from weakref import WeakKeyDictionary

from starlette.exceptions import HTTPException
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime import Runtime
from streamlit.runtime.app_session import AppSession, AppSessionState
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.runtime.state.safe_session_state import SafeSessionState
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from uvicorn import Config

_PAGE_SECONDS = 20.0  # the run before a page may take so long on a busy machine


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
    """Have the page of a tab drawn anew, with its fields as they are. Where Streamlit has changed, that waits."""
    try:
        runtime = Runtime.instance()
        info = runtime._session_mgr.get_active_session_info(tab)
        loop = runtime._get_async_objs().eventloop
    except (AttributeError, RuntimeError):
        return
    if info is not None:
        loop.call_soon_threadsafe(_draw, info.session)


def _draw(session: AppSession) -> None:
    """The page that a tab shows; ``request_rerun`` without a state would show the first one."""
    with suppress(AttributeError):
        if session._state is AppSessionState.SHUTDOWN_REQUESTED:
            return
        shown, runner = session._client_state, session._scriptrunner
        asked = RerunData(query_string=shown.query_string, page_script_hash=shown.page_script_hash)
        if runner is None or not runner.request_rerun(asked):
            session._create_scriptrunner(asked)


def uvicorn_config() -> Config | None:
    """The configuration of the server that runs this app, which Streamlit makes and shows to nobody.

    It is found by way of uvicorn's signal handlers. To be called from the server's main thread, while it starts;
    anywhere else there is none.
    """
    config = getattr(getattr(signal.getsignal(signal.SIGTERM), "__self__", None), "config", None)
    return config if isinstance(config, Config) else None


def let_callbacks_finish() -> None:
    """Have every press act, also where the browser reports something else in the same moment.

    A run of the script ends for a newer request before it has taken what a person did, or in the middle of a callback,
    wherever that looks at the session's state; the newer request holds nothing of the press, which was lost. From now
    on a run takes its request and calls the callbacks first. Together with ``runner.fastReruns`` off, by which
    requests that a run has not begun with are joined.
    """
    apply = SafeSessionState.on_script_will_rerun

    def undisturbed(state: SafeSessionState, *request: Any, **more: Any) -> None:
        ends_run = state._yield_callback
        object.__setattr__(state, "_yield_callback", lambda: None)
        try:
            apply(state, *request, **more)
        finally:
            object.__setattr__(state, "_yield_callback", ends_run)

    SafeSessionState.on_script_will_rerun = undisturbed  # type: ignore[method-assign, assignment]


@dataclass(frozen=True)
class _PageChange:
    """The way to another page: until when those before it may still report, and the widgets that all pages have."""

    left: frozenset[str]
    to: str
    common: frozenset[str]
    until: float

    def is_report(self, asked: ClientState) -> bool:
        """Whether the page before sent this; a way back to it is sent with the widgets alone that all pages have."""
        return bool(asked.fragment_id) or asked.is_auto_rerun or not _widgets(asked) <= self.common


def _widgets(asked: ClientState) -> frozenset[str]:
    return frozenset(state.id for state in asked.widget_states.widgets)


class PageChanges:
    """Keeps the page that a person has gone to, whatever the one before it reports until the browser shows the new one.

    Streamlit joins requests that no run has begun with, and takes the page of the newest; and a browser that has not
    heard yet of the new page's run names the page before it in what it reports. Both lost the way to the other page.
    ``clock`` tells seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changes: WeakKeyDictionary[Any, _PageChange] = WeakKeyDictionary()

    def page_of(self, session: Any, shown: str, asked: ClientState) -> str:
        """The page that is meant by a request while ``shown`` is the last that was begun with."""
        page, change = asked.page_script_hash, self._changes.get(session)
        if change is not None and self._clock() > change.until:
            change = None
        if change is not None and page in change.left and (page == shown or change.is_report(asked)):
            return change.to
        if page != shown:
            left = (change.left if change else frozenset()) | {shown}
            self._changes[session] = _PageChange(left - {page}, page, _widgets(asked), self._clock() + _PAGE_SECONDS)
        elif change is not None:
            del self._changes[session]  # the browser shows it
        return page


def keep_page_changes() -> None:
    """Have every way to another page lead there, also where the page before it reports something in the same moment."""
    changes, ask = PageChanges(), AppSession.request_rerun

    def request(session: AppSession, client_state: ClientState | None) -> None:
        if client_state is not None and client_state.page_script_hash:
            page = changes.page_of(session, session._client_state.page_script_hash, client_state)
            if page != client_state.page_script_hash:
                client_state = ClientState.FromString(client_state.SerializeToString())
                client_state.page_script_hash = page
        ask(session, client_state)

    AppSession.request_rerun = request  # type: ignore[method-assign, assignment]


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


def keep_downloads(manager: MediaFileManager, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
    """Have a press on a download button bring its file, also where the page is drawn anew in the same moment.

    Streamlit makes the file of a callable when the button is pressed. It forgets the callable with the next run of the
    page, and the file with the next two runs of anybody's; the browser asked for either in vain. From now on a button's
    callable goes by the same id in every run, and a file that no page shows stays for so many seconds more.
    """
    add, inactive = manager.add_deferred, manager._get_inactive_file_ids
    since: dict[str, float] = {}

    def add_again(*given: Any, element_id: str = "", **more: Any) -> str:
        callables, sessions = manager._deferred_callables, manager._files_by_session_and_coord
        before = {(old["session_id"], old["element_id"]): name for name, old in list(callables.items())}
        name = add(*given, element_id=element_id, **more)
        with manager._lock:
            entry = callables[name]
            known = before.get((entry["session_id"], element_id)) if element_id else None
            if known is None or known not in callables:
                return name
            manager._drop_deferred_id(name)
            callables[known] = entry
            sessions[entry["session_id"]][entry["coordinates"]] = known
        return known

    def inactive_for_long() -> set[str]:
        now, found = clock(), inactive()
        for active in since.keys() - found:
            del since[active]
        return {name for name in found if now - since.setdefault(name, now) >= seconds}

    manager.add_deferred = add_again  # type: ignore[method-assign]
    manager._get_inactive_file_ids = inactive_for_long  # type: ignore[method-assign]


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
