"""The home page: bring in a stack, look through it, select images, have them recognised."""

import streamlit as st

from core.images.formats import format_names
from core.runtime import get_runtime
from pages._ui.inference.results import top_classes
from pages._ui.inference.run_panel import run_panel
from pages._ui.shell.browsers import current_session
from pages._ui.shell.links import stack_links
from pages._ui.viewer.gallery import gallery
from pages._ui.viewer.open_stacks import open_stacks
from pages._ui.viewer.stack_viewer import stack_viewer
from pages._ui.viewer.upload import rendering_note, stack_summary, upload_area, upload_error
from pages._ui.viewer.uploader import uploader

session = current_session()
stack = session.stack

if stack is None:
    st.title("AI Image Stack Recognizer")
    st.markdown(
        f"Drop a ZIP of {format_names()} images, look through it like in a desktop viewer, and have ResNet18 name what "
        "it shows: "
        "OpenVINO INT8 for speed, PyTorch FP32 beside it to see what the speed costs."
    )
    if "stack" in st.query_params:
        st.info(
            "This link is to an image of a stack that is not open here. Open its ZIP to see it.", icon=":material/link:"
        )
    open_stacks(session)
    upload_area(session)
    upload_error(session)
    rendering_note()
else:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        stack_summary(stack)
        with st.container(horizontal=True, width="content"):
            open_stacks(session)
            uploader(session, key="upload-another", compact=True)
    upload_error(session)
    links = stack_links(stack)
    panel = st.container()  # above the viewer, and drawn after it: its buttons count what the viewer has selected
    session.view = stack_viewer(key="viewer", stack=links, view=session.view, version=session.view_version)
    with panel:
        run_panel(session, stack, key="viewer")
    if answers := get_runtime().recognition.results(stack).at(session.view.current):
        with st.expander(f"Five best classes of image {session.view.current + 1:,}", icon=":material/leaderboard:"):
            top_classes(answers)
    gallery(key="gallery", stack=links, view=session.view, version=session.view_version)
    rendering_note()
