"""Draws strangers' text wherever Streamlit reads Markdown."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[2]))

from pages._ui.shell.messages import escape
from tests.strangers_text import STRANGERS_TEXTS

for place, text in enumerate(STRANGERS_TEXTS):
    shown = escape(text)
    with st.container(key=f"text-{place}"):
        st.markdown(shown)
        st.caption(shown)
        st.error(shown)
        st.button(shown, key=f"button-{place}")
        st.metric(shown, shown, shown)
        st.progress(0.5, text=shown)
        with st.expander(shown):
            st.text_input(shown, key=f"input-{place}")
    with st.container(key=f"bold-{place}"):
        st.markdown(f"**{shown}**")
st.html('<p id="all-drawn"></p>')
