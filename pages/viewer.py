"""The home page: bring in a stack, look through it, select images, have them recognised."""

import streamlit as st

from pages._ui.inference.by_itself import recognise_on_screen
from pages._ui.inference.model_popover import model_popover
from pages._ui.inference.run_panel import is_running, run_buttons, run_notes, run_outcome, run_progress
from pages._ui.shell.browsers import current_session
from pages._ui.shell.links import label_links, stack_links
from pages._ui.shell.model_in_use import model_in_use
from pages._ui.shell.room import reserve
from pages._ui.teach.mode import label_panel, label_switch, to_the_model, watched
from pages._ui.viewer.actions import stack_actions
from pages._ui.viewer.open_stacks import open_stacks
from pages._ui.viewer.outcome import outcome_row
from pages._ui.viewer.range_choice import range_choice
from pages._ui.viewer.upload import rendering_note, upload_area, upload_error
from pages._ui.viewer.welcome import welcome
from pages._ui.viewer.workspace import lay_out, workspace

session = current_session()
stack = session.stack

if stack is not None:
    lay_out(len(stack))
landing = st.container(key="landing")  # one element in both cases: what was in it goes at once when a stack is opened
if stack is None:
    reserve({"welcome": "min(8.25rem, 20.6vw - 0.4rem)", "upload": "6rem"})
    with landing:
        welcome()
        model_in_use(session)
        if "stack" in st.query_params:
            st.info(
                "This link is to an image of a stack that is not open here. Open its files to see it.",
                icon=":material/link:",
            )
        open_stacks(session)
        upload_area(session)
        upload_error(session)
        with st.container(horizontal=True):
            model_popover(session)
            rendering_note(session)
else:
    with st.container(key="actions", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(key="stack-actions", horizontal=True, vertical_alignment="center", width="content"):
            stack_actions(session, stack)
        run_actions = st.container(key="run-actions", horizontal=True, vertical_alignment="center", width="content")
    notes = st.container(key="notes")
    with notes:
        upload_error(session)
        outcome_row(session, stack)
        live = watched(session, stack)
    links = stack_links(stack) if live is None else label_links(stack, live)
    session.view = workspace(key="workspace", stack=links, view=session.view, version=session.view_version)
    if live is None and recognise_on_screen(session, stack):
        st.rerun()
    with notes:
        if live is not None:
            label_panel(session, stack, live)
        runs = (live is None and not is_running(session)) and run_notes(session)
    with run_actions:  # drawn after the workspace: its buttons count what is selected there
        if is_running(session):
            run_progress(session)
        elif runs:
            run_buttons(session, stack, key="viewer")
        model_popover(session)
        label_switch(session, stack)
    with st.container(key="status", horizontal=True, vertical_alignment="center"):
        if live is None and not is_running(session):
            run_outcome(session)
        elif live is not None:
            to_the_model()
        range_choice(session, stack)
        rendering_note(session)
