"""The page of :mod:`tests.e2e.component_app`; ``?count=`` sets the number of images."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pages._ui.viewer.gallery import gallery
from pages._ui.viewer.stack_viewer import stack_viewer
from pages._ui.viewer.view import StackLinks, ViewState


def links(*, results: bool = False) -> StackLinks:
    """The stack of as many images as the address asks for."""
    count = int(st.query_params.get("count", "40"))
    base = f"test-api/stacks/stack-{count}"
    return StackLinks(
        stack_id=f"stack-{count}",
        count=count,
        index_url=f"{base}/index",
        image_url=f"{base}/images/{{index}}/display",
        thumbnail_url=f"{base}/images/{{index}}/thumbnail",
        values_url=f"{base}/images/{{index}}/values",
        explanation_url=f"{base}/images/{{index}}/explanation" if results else "",
        tag=f"tag-{count}",
        results_url=f"{base}/results?version=1" if results else "",
    )


def tell() -> None:
    """What Python knows."""
    state = st.session_state
    state["runs"] = state.get("runs", 0) + 1
    st.text(f"Python: image {state.view.current + 1}, {len(state.view.selected)} selected, run {state.runs}")


def browse() -> None:
    """Viewer and gallery of one stack, and widgets that overrule them."""
    state = st.session_state
    columns = st.columns(3)
    if columns[0].button("Select all in Python"):
        state.view = ViewState(state.view.current, tuple(range(links().count)))
        state.version += 1
    if columns[1].button("Go to 20 in Python"):
        state.view = ViewState(19, state.view.selected)
        state.version += 1
    stack = links(results=columns[2].checkbox("Results"))
    st.text_input("A field of the page")
    state.view = stack_viewer(key="viewer", stack=stack, view=state.view, version=state.version)
    gallery(key="gallery", stack=stack, view=state.view, version=state.version)
    tell()


def alone() -> None:
    """A gallery without a viewer, on a page with a path of its own."""
    state = st.session_state
    state.view = gallery(key="alone", stack=links(), view=state.view, version=state.version, reports=True)
    tell()


st.set_page_config(layout="wide")
st.session_state.setdefault("view", ViewState())
st.session_state.setdefault("version", 0)
pages = [st.Page(browse, title="Browse", default=True), st.Page(alone, title="Alone", url_path="alone")]
st.navigation(pages, position="top").run()
