"""Label mode on the viewer page: the same labels as on the Teach page, beside the large image."""

from __future__ import annotations

import streamlit as st

from core.base.errors import AppError
from core.stacks.stack import ImageStack
from core.teach.live import LiveTeaching
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session
from pages._ui.teach.classes import classes
from pages._ui.teach.state import next_step, watch

# On a narrow screen the gallery's buttons for classes stay at its lower edge; the page ends above them.
_ROOM_FOR_BAR = (
    "<style>@media (max-width: 640px) {"
    "[data-testid='stMainBlockContainer'] { padding-bottom: calc(9rem + env(safe-area-inset-bottom)); } }</style>"
)


def label_switch(session: Session, stack: ImageStack) -> None:
    """The switch that turns Label mode on and off for this stack."""
    key = f"label-mode-{stack.id}"
    st.session_state.setdefault(key, session.labelling)  # gone while another page is open
    session.labelling = st.toggle(
        "Label",
        key=key,
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
    room_for_bar()
    return live


def label_panel(session: Session, stack: ImageStack, live: LiveTeaching) -> None:
    """What to do now, and the field for a new class."""
    next_step(live)
    classes(session, stack, live)


def to_the_model() -> None:
    """The way to what comes after labelling."""
    st.page_link("teach.py", label="Suggestions in bulk, how good it is, and the model", icon=":material/school:")


def room_for_bar() -> None:
    """Keep the end of the page clear of the buttons for classes on a narrow screen."""
    st.html(_ROOM_FOR_BAR)
