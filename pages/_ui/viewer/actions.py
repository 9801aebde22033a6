"""The row above the workspace: what is open, and the way to another ZIP."""

from __future__ import annotations

import streamlit as st

from core.stacks.stack import ImageStack
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session
from pages._ui.viewer.open_stacks import open_stacks
from pages._ui.viewer.upload import facts, skipped_files
from pages._ui.viewer.uploader import uploader


def stack_actions(session: Session, stack: ImageStack) -> None:
    """What is open, what was left out of it, and the way to another ZIP."""
    with st.container(key="stack-name", width="content"):
        st.markdown(f"**{escape(stack.name)}** · {facts(stack)}", width="content")
    open_stacks(session)
    uploader(session, key="upload-another", compact=True)
    skipped_files(stack)  # last: a list that stands open stays so while one goes from stack to stack
