"""Whose range of values deep images are scaled by: the choice, and what finds the range of a whole stack."""

from __future__ import annotations

import streamlit as st

from core.images.pixels import RangeOf
from core.recognition.range_job import RangeJob
from core.stacks.stack import ImageStack
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session
from pages._ui.shell.steps import REFRESH_SECONDS

_KEY = "value-range"
_WORDS: dict[RangeOf, str] = {"image": "each image", "stack": "the whole stack"}


def range_choice(session: Session, stack: ImageStack) -> None:
    """A button that says what is chosen and opens the choice; nothing where no image of the stack is scaled."""
    if not stack.range.images:
        return
    job = session.range_job
    if job is not None and job.status == "running":
        _progress(session)
        return
    if job is not None:
        session.range_job = None
        if job.status == "done":
            _choose(session, stack, "stack")
        elif job.status == "failed":
            st.error(escape(job.message), icon=":material/error:")
    with st.popover(f"Scaled by {_WORDS[stack.range_of]}", icon=":material/contrast:"):
        _ask(session, stack)


def _ask(session: Session, stack: ImageStack) -> None:
    def chosen() -> None:
        _wanted(session, stack, st.session_state[_KEY])

    if st.session_state.get(_KEY) != stack.range_of:
        st.session_state[_KEY] = stack.range_of
    st.radio(
        "In 16-bit, signed and float images, black is the lowest value and white the highest of",
        list(_WORDS),
        format_func=lambda one: _WORDS[one],
        key=_KEY,
        on_change=chosen,
        disabled=session.busy,
    )
    st.caption(
        "It changes what the model sees, and so its answers, which are kept for each choice by itself and say which it "
        "was. By the whole stack, equal values look equal in all images; by each image, dark ones are easier to see. "
        f"{stack.range.images:,} of {len(stack):,} images are scaled; 8-bit images, and those with a window of their "
        "own, stay as they are."
    )


def _wanted(session: Session, stack: ImageStack, range_of: RangeOf) -> None:
    if range_of == "stack" and not stack.range.is_known:
        session.range_job = RangeJob(stack)
        session.watch(session.range_job)
        session.range_job.wait(REFRESH_SECONDS)  # nearly all images may have been looked at
    else:
        session.scale_by(range_of)


def _choose(session: Session, stack: ImageStack, range_of: RangeOf) -> None:
    """What is drawn already shows the other choice."""
    if stack.range_of != range_of:
        session.scale_by(range_of)
        st.rerun()


@st.fragment(run_every=REFRESH_SECONDS)
def _progress(session: Session) -> None:
    job = session.range_job
    if job is None or job.status != "running":
        st.rerun()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(job.done / job.total, text=f"Range of the stack: {job.done:,} of {job.total:,} images")
        if st.button("Cancel", icon=":material/close:", key="cancel-range"):
            job.cancel()
