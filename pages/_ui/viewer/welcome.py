"""The page without a stack: what the app does, in a sentence and a picture."""

from __future__ import annotations

import streamlit as st

from core.images.formats import format_names
from pages._ui.components.assets import FOLDER

_picture = st.components.v2.component(
    "welcome",
    html=(FOLDER / "welcome" / "welcome.html").read_text(encoding="utf-8"),
    css=(FOLDER / "welcome" / "welcome.css").read_text(encoding="utf-8"),
)


def welcome() -> None:
    """Title, sentence and picture."""
    st.title("AI Image Stack Recognizer")
    st.markdown(
        f"Drop {format_names()} images, a folder or a ZIP of them, look through them as in a desktop viewer, and have "
        "ResNet18 name what they show: OpenVINO INT8 for speed, PyTorch FP32 beside it to see what the speed costs."
    )
    _picture(key="welcome")
