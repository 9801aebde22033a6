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


def declare(name: str, parts: tuple[str, ...] = ()) -> ComponentRenderer:
    """Register the component of the folder ``name``, whose HTML, CSS and first module have the same name.

    ``parts`` are components of which it is made: their HTML takes the place of their names in braces in its own.
    """
    html = _read(f"{name}/{name}.html")
    for part in parts:
        html = html.replace(f"{{{part}}}", _read(f"{part}/{part}.html"))
    styles = ["shared/base.css", *(f"{one}/{one}.css" for one in (*parts, name))]
    return st.components.v2.component(
        name,
        html=html,
        css="".join(_read(path) for path in styles),
        js=_LOADER % {"address": json.dumps(ADDRESS), "entry": json.dumps(f"{name}/{name}.js")},
    )


def _read(path: str) -> str:
    return (FOLDER / path).read_text(encoding="utf-8")
