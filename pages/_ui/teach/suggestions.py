"""What comes of suggestions: accepting many at once, images that are alike, and such as show none of the classes."""

from __future__ import annotations

import streamlit as st

from core.api.live_teaching import ALIKE, MOST_ALIKE
from core.base.errors import AppError
from core.stacks.stack import ImageStack
from core.teach.live import LiveTeaching
from pages._ui.shell.keep import keep_slider, threshold_of
from pages._ui.shell.messages import images
from pages._ui.shell.session import Session


def suggestions(session: Session, stack: ImageStack, live: LiveTeaching) -> None:
    """The three, side by side."""
    left, middle, right = st.columns(3)
    with left, st.container(border=True):
        _accept(session, live)
    with middle, st.container(border=True):
        _alike(session, stack, live)
    with right, st.container(border=True):
        _none_of_these(session, live)


def _accept(session: Session, live: LiveTeaching) -> None:
    st.markdown("**Accept many at once**")
    found = live.learned.suggestions
    if found is None:
        st.caption("Once there are suggestions, all sure ones of a class can be accepted together.")
        return
    names = [name for name in live.labels.classes if name in found.classes]
    name = st.selectbox("Class", names, key="accept-class")
    least = st.slider("With a share of at least", 50, 100, 90, format="%d%%", key="accept-share")
    if name is None:
        return
    sure = live.sure(name, least / 100)
    with st.container(horizontal=True):
        st.button(
            f"Accept {len(sure):,}",
            icon=":material/done_all:",
            disabled=not sure,
            key="accept-all",
            on_click=lambda: live.labels.assign(live.unlabelled(sure), name),  # those that the button counts
        )
        st.button(
            "Look at them first",
            disabled=not sure,
            key="accept-look",
            type="tertiary",
            on_click=lambda: session.show(sure[0], sure),
        )
    st.caption("A share says how the classes compare, not how often it is right. Ctrl+Z takes all of them back.")


def _alike(session: Session, stack: ImageStack, live: LiveTeaching) -> None:
    current = session.view.current
    st.markdown(f"**Like image {current + 1:,}**")
    most = min(MOST_ALIKE, len(stack) - 1)
    if most < 1:
        st.caption("There is no other image.")
        return
    st.number_input("How many", 1, most, min(ALIKE, most), key="alike-count")
    st.button(
        "Select the most similar",
        icon=":material/auto_awesome_motion:",
        key="alike",
        on_click=lambda: _select_alike(session, live),
    )
    st.caption("They are selected in the gallery: look through them, then one key labels them all.")


def _select_alike(session: Session, live: LiveTeaching) -> None:
    current = session.view.current
    session.teach_error = ""
    try:
        session.show(current, live.alike(current, int(st.session_state["alike-count"])))
    except AppError as error:
        session.teach_error = str(error)


def _none_of_these(session: Session, live: LiveTeaching) -> None:
    st.markdown("**None of these**")
    found, threshold = live.learned.suggestions, live.threshold
    if found is None or threshold is None:
        st.caption("Images unlike every class are called that, once there are suggestions.")
        return
    key = f"kept-{threshold}"
    keep_slider(
        threshold,
        "Images that are less like the examples than this share of the examples themselves are “none of these”.",
        key=key,
        on_change=lambda: setattr(live, "threshold", threshold_of(st.session_state[key])),
    )
    labelled = live.labels.by_image
    unlike = [int(index) for index in found.indices[found.unknown(threshold)] if int(index) not in labelled]
    with st.container(horizontal=True):
        st.button(
            f"Select {images(len(unlike))}",
            icon=":material/block:",
            disabled=not unlike,
            key="unlike",
            on_click=lambda: session.show(unlike[0], unlike),
        )
        if live.own_threshold is not None:
            st.button(
                "Automatic",
                type="tertiary",
                key="automatic-threshold",
                on_click=lambda: setattr(live, "threshold", None),
            )
    st.caption("The model that is made has it too: its answers say “none of these” for images below.")
