"""Recognition that starts by itself, where a person wants that: answers are there while they look around."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from core.base.errors import AppError
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from pages._ui.inference.run_panel import start_run
from pages._ui.shell.session import Session

SCREENFUL = 12  # images from the one on show on


def by_itself_switch(session: Session) -> None:
    """The choice, off until somebody makes it."""
    session.by_itself = st.toggle(
        "Recognise what is on screen by itself",
        value=session.by_itself,
        help=f"Without a press of a button: the image on show and the {SCREENFUL - 1} after it, wherever you are.",
    )


def recognise_on_screen(session: Session, stack: ImageStack) -> bool:
    """Start with the image on show, where it has no answer yet; whether that was so, and the page is to be drawn anew.

    A run that failed or was cancelled stays the last one, until a person starts another.
    """
    job = session.job
    if not session.by_itself or session.working or (job is not None and job.state.phase != "done"):
        return False
    results = get_runtime().recognition.results(stack)
    current = session.view.current
    if results.at(current):
        return False
    nearby = range(current, min(current + SCREENFUL, len(stack)))
    with suppress(AppError):  # no model: the page says so
        if not session.model.missing(session.engine):
            start_run(session, stack, [index for index in nearby if not results.at(index)])
            return True
    return False
