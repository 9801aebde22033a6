"""The workspace: image, neighbours, answer and tools of a stack on one screen."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages._ui.components.declare import declare
from pages._ui.viewer.view import StackLinks, ViewState, exchange

_renderer = declare("workspace", parts=("stack_viewer", "gallery"))
_LAYOUT = (Path(__file__).parent / "layout.css").read_text(encoding="utf-8")


def workspace(*, key: str, stack: StackLinks, view: ViewState, version: int) -> ViewState:
    """Show ``stack`` in the room that :func:`lay_out` leaves it; see :func:`stack_viewer` for arguments and answer."""
    return exchange(_renderer, key=key, stack=stack, view=view, version=version, height=0, reports=True)


def lay_out(count: int) -> None:
    """Make the page as high as the window, and give the element ``workspace`` what the rows around it leave.

    The buttons that tell a stack's ``count`` of images get the room for its digits.
    """
    light, dark = (st.get_option(f"theme.{name}.backgroundColor") for name in ("light", "dark"))
    digits = len(f"{count:,}")
    st.html(f"<style>:root {{ --page: light-dark({light}, {dark}); --count: {digits}ch; }}{_LAYOUT}</style>")
