"""The stacks a browser has open: going from one to another, and closing them."""

from __future__ import annotations

import time

import streamlit as st

from core.stacks.stack import ImageStack
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session
from pages._ui.viewer.upload import facts

_MINUTE, _HOUR = 60, 3600  # seconds


def open_stacks(session: Session) -> None:
    """A button with the list; without a stack on show, the list itself, where there is one."""
    if session.stack is not None:
        count = len(session.aside) + 1
        with st.popover(f"{count:,} open", icon=":material/stacks:", help="Stacks open in this browser"):
            _list(session)
    elif session.aside:
        st.markdown("**Open in this browser**")
        _list(session)


def go_where_the_link_leads(session: Session) -> None:
    """A link names a stack by a digest of its list of files; where such a one is open, show it."""
    tag = st.query_params.get("stack")
    if tag and (session.stack is None or session.stack.fingerprint != tag):
        for one in session.aside:
            if one.stack.fingerprint == tag:
                session.go_to(one.stack.id)
                return


def _list(session: Session) -> None:
    shown = [session.stack] if session.stack is not None else []
    for stack in [*shown, *(one.stack for one in reversed(session.aside))]:
        on_show = " · on show" if stack is session.stack else ""
        st.markdown(f"**{escape(stack.name)}**  \n{facts(stack)} · {_age(stack)}{on_show}")
        with st.container(horizontal=True):
            if not on_show:
                st.button("Show", key=f"show-{stack.id}", on_click=session.go_to, args=(stack.id,))
            st.button(
                "Close",
                key=f"close-{stack.id}",
                help="Deletes it and its answers from the server.",
                on_click=session.close_stack,
                args=(stack.id,),
            )


def _age(stack: ImageStack) -> str:
    """``opened 5 min ago``."""
    seconds = time.time() - stack.opened
    if seconds < _MINUTE:
        return "opened just now"
    return f"opened {seconds // _MINUTE:.0f} min ago" if seconds < _HOUR else f"opened {seconds // _HOUR:.0f} h ago"
