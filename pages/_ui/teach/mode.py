"""Label mode on the viewer page: the same labels as on the Teach page, beside the large image."""

from __future__ import annotations

import streamlit as st

from core.base.errors import AppError
from core.stacks.stack import ImageStack
from core.teach.live import LiveTeaching
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session
from pages._ui.teach.classes import class_field
from pages._ui.teach.state import next_step, watch


def label_switch(session: Session, stack: ImageStack) -> None:
    """The switch that turns Label mode on and off for this stack."""
    key = f"label-mode-{stack.id}"

    def switched() -> None:
        session.labelling = st.session_state[key]

    # Of all tabs; and gone while another page is open. Only where it differs: a click during this run would be undone.
    if st.session_state.get(key) != session.labelling:
        st.session_state[key] = session.labelling
    st.toggle(
        "Label",
        key=key,
        on_change=switched,  # what is drawn before the switch goes by it, too
        help="Give images classes of your own by number keys, buttons or touch, and see the others named. What was "
        "recognised is back when it is off.",
    )


def watched(session: Session, stack: ImageStack) -> LiveTeaching | None:
    """What is learned of the labels where Label mode is on, else None; why it cannot be is said."""
    if not session.labelling:
        return None
    try:
        live = watch(session, stack)
    except AppError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return None
    live.refresh()
    room_for_bar(12.5)  # above the workspace's row of actions
    return live


def label_panel(session: Session, stack: ImageStack, live: LiveTeaching) -> None:
    """What to do now, and the field for a new class."""
    next_step(live)
    class_field(session, stack, live)


def to_the_model() -> None:
    """The way to what comes after labelling."""
    st.page_link("teach.py", label="Suggestions in bulk, how good it is, and the model", icon=":material/school:")


def room_for_bar(height: float = 9.0) -> None:
    """Keep so much (rem) of the page's end clear of the buttons for classes, which stay there on a small screen."""
    # Named more exactly than by the styles of a page, which may come later.
    place = "[data-testid='stMain'] [data-testid='stMainBlockContainer']"
    room = f"{place} {{ padding-bottom: calc({height}rem + env(safe-area-inset-bottom)); }}"
    st.html(f"<style>@media (max-width: 640px), (max-width: 1099px) and (max-height: 500px) {{ {room} }}</style>")
