"""The home page: bring in a stack, look through it, select images, have them recognised."""

import streamlit as st

from core.images.formats import format_names
from core.runtime import get_runtime
from pages._ui.inference.results import top_classes
from pages._ui.inference.run_panel import run_panel
from pages._ui.shell.browsers import current_session
from pages._ui.shell.links import label_links, stack_links
from pages._ui.teach.mode import label_panel, label_switch, to_the_model, watched
from pages._ui.viewer.gallery import gallery
from pages._ui.viewer.open_stacks import open_stacks
from pages._ui.viewer.stack_viewer import stack_viewer
from pages._ui.viewer.upload import rendering_note, stack_summary, upload_area, upload_error
from pages._ui.viewer.uploader import uploader

STAGE_HEIGHT, LABELLED_HEIGHT = 460, 320  # CSS pixels; in Label mode the buttons for classes stand below it

session = current_session()
stack = session.stack

if stack is None:
    st.title("AI Image Stack Recognizer")
    st.markdown(
        f"Drop {format_names()} images, a folder or a ZIP of them, look through them as in a desktop viewer, and have "
        "ResNet18 name what they show: OpenVINO INT8 for speed, PyTorch FP32 beside it to see what the speed costs."
    )
    if "stack" in st.query_params:
        st.info(
            "This link is to an image of a stack that is not open here. Open its files to see it.",
            icon=":material/link:",
        )
    open_stacks(session)
    upload_area(session)
    upload_error(session)
    rendering_note()
else:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        stack_summary(stack)
        label_switch(session, stack)
        with st.container(horizontal=True, width="content"):
            open_stacks(session)
            uploader(session, key="upload-another", compact=True)
    upload_error(session)
    live = watched(session, stack)
    links = stack_links(stack) if live is None else label_links(stack, live, session.saved_labels)
    panel = st.container()  # above the viewer, and drawn after it: its buttons count what the viewer has selected
    session.view = stack_viewer(
        key="viewer",
        stack=links,
        view=session.view,
        version=session.view_version,
        height=STAGE_HEIGHT if live is None else LABELLED_HEIGHT,
    )
    with panel:
        if live is None or session.drawn_working or session.working:
            run_panel(session, stack, key="viewer")
        if live is not None:
            label_panel(session, stack, live)
    answers = get_runtime().recognition.results(stack).at(session.view.current)
    if answers and live is None:  # in Label mode, labels and suggestions stand where answers stand
        with st.expander(f"Five best classes of image {session.view.current + 1:,}", icon=":material/leaderboard:"):
            top_classes(answers)
    gallery(key="gallery", stack=links, view=session.view, version=session.view_version)
    if live is not None:
        to_the_model()
    rendering_note()
