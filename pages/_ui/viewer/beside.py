"""A gallery with the viewer beside it, for pages whose subject is many images."""

from __future__ import annotations

import streamlit as st

from pages._ui.shell.session import Session
from pages._ui.viewer.gallery import gallery
from pages._ui.viewer.stack_viewer import stack_viewer
from pages._ui.viewer.view import StackLinks


def gallery_beside_viewer(session: Session, links: StackLinks, *, key: str) -> None:
    """Draw both; what is looked at and selected becomes ``session.view``."""
    left, right = st.columns([5, 3])
    with left:
        shown = st.container()  # drawn after the viewer, whose selection it shares
    with right:
        session.view = stack_viewer(
            key=f"{key}-viewer", stack=links, view=session.view, version=session.view_version, height=330
        )
    with shown:
        gallery(key=f"{key}-gallery", stack=links, view=session.view, version=session.view_version, height=470)
