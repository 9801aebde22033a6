"""Registering our components with Streamlit: HTML and CSS by value, JavaScript by address."""

from __future__ import annotations

import json

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from pages._ui.components.assets import ADDRESS, FOLDER

# Streamlit makes a module of this text, which has no address from which it could import. The script comes from our own
# route, once for all components: beside the upload field, the viewer is ready before a ZIP has been sent.
_LOADER = """
const load = () => import(new URL(%(address)s, document.baseURI).href);
load().catch(() => {}); // as early as can be; whoever mounts the component hears of a failure
export default async (component) => (await load()).default[%(entry)s].default(component);
"""


def declare(name: str) -> ComponentRenderer:
    """Register the component of the folder ``name``, whose HTML, CSS and first module have the same name."""
    return st.components.v2.component(
        name,
        html=(FOLDER / name / f"{name}.html").read_text(encoding="utf-8"),
        css="".join((FOLDER / path).read_text(encoding="utf-8") for path in ("shared/base.css", f"{name}/{name}.css")),
        js=_LOADER % {"address": json.dumps(ADDRESS), "entry": json.dumps(f"{name}/{name}.js")},
    )
