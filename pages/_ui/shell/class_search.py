"""The classes of a model, to look whether it knows a thing."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages._ui.shell.messages import escape

_HEIGHT = 240  # px; ImageNet's thousand classes would be screens
_MANY = 60


def matching(classes: Sequence[str], asked: str) -> list[str]:
    """The classes that hold every word of ``asked``, in their order; all where nothing is asked."""
    words = asked.casefold().split()
    return [name for name in classes if all(word in name.casefold() for word in words)]


@st.fragment
def class_search(classes: Sequence[str], *, key: str) -> None:
    """A field to search by, and what it finds."""
    asked = st.text_input("Search the classes", key=key, max_chars=60, placeholder="A part of a name, such as dog")
    found = matching(classes, asked)
    st.caption(f"{len(found):,} of {len(classes):,}" if asked else f"{len(classes):,} in all")
    if found:
        with st.container(height=_HEIGHT if len(found) > _MANY else "content"):
            st.markdown(escape(", ".join(found)))
