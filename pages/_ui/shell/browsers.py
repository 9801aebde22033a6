"""The sessions of browsers: a page that is loaded again, or opened in a second tab, finds the one its browser has."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import streamlit as st

from core.api.edge.browsers import browser_of
from core.base.afterwards import when_gone
from core.runtime import get_runtime
from pages._ui.compat import draw_tab, tab_id
from pages._ui.shell.session import Session

_VISIT, _SESSION = "visit", "session"


@dataclass(eq=False)
class Visit:
    """A tab: it lives in ``st.session_state``, and ends with it."""

    session: Session
    is_new: bool = True  # nothing has been drawn yet


@dataclass(slots=True)
class _Known:
    """A browser's session, Streamlit's names of the tabs that show it, and since when none does (by the clock)."""

    session: Session
    tabs: list[str] = field(default_factory=list)
    left: float = 0.0


class Browsers:
    """Keeps the session of each browser while a tab shows it, and for ``seconds`` after. Safe to use from any thread.

    What runs for a session is cancelled when its last tab has gone; what is open stays.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def visit(self, browser: str, tab: str) -> Visit:
        """A new tab of a browser, called ``tab``; one without a cookie (``""``) has a session for itself."""
        if not browser:
            return Visit(Session())
        with self._lock:
            known = self._known.setdefault(browser, _Known(Session()))
            known.tabs.append(tab)
        visit = Visit(known.session)
        when_gone(visit, self._leave, browser, tab)
        return visit

    def others(self, browser: str, tab: str) -> list[str]:
        """The other tabs of a browser."""
        with self._lock:
            known = self._known.get(browser)
            return sorted(set(known.tabs) - {tab}) if known else []

    def sweep(self) -> None:
        """Forget sessions that nobody has come back to."""
        with self._lock:
            oldest = self._clock() - self._seconds
            for browser, known in list(self._known.items()):
                if not known.tabs and known.left < oldest:
                    del self._known[browser]

    def _leave(self, browser: str, tab: str) -> None:
        with self._lock:
            known = self._known[browser]
            known.tabs.remove(tab)
            known.left = self._clock()
            if known.tabs:
                return
            if known.session.is_empty:
                del self._known[browser]
        known.session.pause()


@cache
def get_browsers() -> Browsers:
    """Those of this process."""
    return Browsers(get_runtime().settings.stack_ttl_seconds)


def current_visit() -> Visit:
    """The tab whose page is being drawn."""
    visit: Visit | None = st.session_state.get(_VISIT)
    if visit is None:
        visit = get_browsers().visit(browser_of(dict(st.context.cookies)), tab_id())
        st.session_state[_VISIT], st.session_state[_SESSION] = visit, visit.session
    return visit


def current_session() -> Session:
    """The session of the page being drawn; stacks that have expired meanwhile are let go."""
    session = current_visit().session
    session.let_go_of_expired()
    return session


def tell_other_tabs() -> None:
    """Have the browser's other tabs drawn anew where this one has changed what they show."""
    session = current_visit().session
    if session.has_changed():
        for tab in get_browsers().others(browser_of(dict(st.context.cookies)), tab_id()):
            draw_tab(tab)
