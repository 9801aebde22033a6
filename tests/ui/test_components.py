"""The components inside a Streamlit script, without a browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def page() -> None:
    """Mounts both."""
    import streamlit as st

    from pages._ui.viewer.gallery import gallery
    from pages._ui.viewer.stack_viewer import stack_viewer
    from pages._ui.viewer.view import StackLinks, ViewState

    stack = StackLinks("abc", 3, "index", "images/{index}", "thumbnails/{index}", "values/{index}")
    view = stack_viewer(key="viewer", stack=stack, view=ViewState(1, (0, 2)), version=1)
    view = gallery(key="gallery", stack=stack, view=view, version=1)
    st.text(f"{view.current} {view.selected}")


def test_both_mount_and_return_what_python_knows() -> None:
    app = AppTest.from_function(page).run()
    assert not app.exception
    assert app.text[0].value == "1 (0, 2)"
    app.run()
    assert not app.exception
    assert app.text[0].value == "1 (0, 2)"
