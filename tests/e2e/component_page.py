"""The page of :mod:`tests.e2e.component_app`; ``?count=`` sets the number of images."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pages._ui.gallery import gallery
from pages._ui.stack_viewer import stack_viewer
from pages._ui.view import StackLinks, ViewState


def browse() -> None:
    """Viewer and gallery of one stack, what Python knows of them, and buttons that overrule them."""
    state = st.session_state
    state.setdefault("view", ViewState())
    state.setdefault("version", 0)
    state["runs"] = state.get("runs", 0) + 1
    count = int(st.query_params.get("count", "40"))
    base = f"test-api/stacks/stack-{count}"

    columns = st.columns(3)
    if columns[0].button("Select all in Python"):
        state.view = ViewState(state.view.current, tuple(range(count)))
        state.version += 1
    if columns[1].button("Go to 20 in Python"):
        state.view = ViewState(19, state.view.selected)
        state.version += 1
    results = columns[2].checkbox("Results")
    st.text_input("A field of the page")
    stack = StackLinks(
        stack_id=f"stack-{count}",
        count=count,
        index_url=f"{base}/index",
        image_url=f"{base}/images/{{index}}/display",
        thumbnail_url=f"{base}/images/{{index}}/thumbnail",
        results_url=f"{base}/results?version=1" if results else "",
    )
    height = int(st.query_params.get("height", "420"))
    state.view = stack_viewer(key="viewer", stack=stack, view=state.view, version=state.version, height=height)
    gallery(key="gallery", stack=stack, view=state.view, version=state.version)
    st.text(f"Python: image {state.view.current + 1}, {len(state.view.selected)} selected, run {state.runs}")


def other() -> None:
    """Another page, to leave and to come back from."""
    st.text("Elsewhere")


st.set_page_config(layout="wide")
st.navigation([st.Page(browse, title="Browse", default=True), st.Page(other, title="Other", url_path="other")]).run()
