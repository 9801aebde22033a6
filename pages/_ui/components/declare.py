"""Our components, read from the files of ``components/``."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

_FOLDER = Path(__file__).parent


def declare(name: str, *scripts: str) -> ComponentRenderer:
    """Register component ``name`` from its HTML, CSS and JavaScript files.

    A component is one ES module without imports, so the files of its parts come before its own.
    """

    def read(filename: str) -> str:
        return (_FOLDER / filename).read_text(encoding="utf-8")

    return st.components.v2.component(
        name,
        html=read(f"{name}.html"),
        css=read("base.css") + read(f"{name}.css"),
        js="\n".join(read(f"{script}.js") for script in (*scripts, name)),
    )
