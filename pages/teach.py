"""Teaching classes of one's own: label a few images, see the rest named, make a model of it."""

import streamlit as st

from core.base.errors import AppError
from pages._ui.shell.browsers import current_session
from pages._ui.shell.links import label_links
from pages._ui.shell.messages import escape
from pages._ui.shell.needed import needed_stack
from pages._ui.shell.room import reserve
from pages._ui.teach.classes import class_field
from pages._ui.teach.making import making
from pages._ui.teach.mode import room_for_bar
from pages._ui.teach.quality import quality
from pages._ui.teach.state import next_step, watch
from pages._ui.teach.suggestions import suggestions
from pages._ui.viewer.beside import gallery_beside_viewer
from pages._ui.viewer.upload import stack_summary

session = current_session()

if session.stack is None:
    st.title("Teach")
    st.markdown("Show the app a few examples of *your* classes, and it recognises the rest: in seconds, without code.")
stack = needed_stack(session)

with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
    st.title("Teach", width="content")
    stack_summary(stack)
try:
    live = watch(session, stack)
except AppError as error:
    st.error(escape(error), icon=":material/error:")
    st.stop()
live.refresh()
room_for_bar()
reserve({"classes": "4.25rem", "teach-gallery": "min(35rem, 80svh)", "teach-viewer": "min(35rem, 80svh)"})
next_step(live)
class_field(session, stack, live)
links = label_links(stack, live)
gallery_beside_viewer(session, links, key="teach")
accept, judge, make = st.tabs(["Suggestions", "How good it is", "Make the model"])
with accept:
    suggestions(session, stack, live)
with judge:
    quality(session, stack, live)
with make:
    making(session, stack, live)
