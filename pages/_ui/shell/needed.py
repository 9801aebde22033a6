"""What a page cannot do without."""

from __future__ import annotations

import streamlit as st

from core.stacks.stack import ImageStack
from pages._ui.shell.session import Session


def needed_stack(session: Session) -> ImageStack:
    """The open stack; where there is none, the page says so and ends here."""
    stack = session.stack
    if stack is None:
        st.info("There is no stack yet. Open one on the Viewer page first.", icon=":material/upload_file:")
        st.page_link("viewer.py", label="Go to the viewer", icon=":material/photo_library:")
        st.stop()
    return stack
