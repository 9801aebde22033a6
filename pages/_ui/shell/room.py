"""Room for what arrives late, so that nothing below it jumps."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st


def reserve(heights: Mapping[str, str]) -> None:
    """Keep room for elements and containers by their keys: a CSS length each, of their least height.

    The browser draws the parts of a page as they come: tables, sliders and our components last of all, when their code
    has been fetched.
    """
    st.html(
        "<style>"
        + " ".join(f".st-key-{key} {{ min-height: {height}; }}" for key, height in heights.items())
        + "</style>"
    )
