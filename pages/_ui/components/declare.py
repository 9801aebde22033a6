"""Registering our components with Streamlit: HTML and CSS by value, JavaScript by address."""

from __future__ import annotations

import json

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from pages._ui.components.assets import ADDRESS, FOLDER, MODULES, needed

# Streamlit makes a module of this text, without an address from which it could import; the modules come from our own
# route. What the component needs is asked for at once, so that imports never wait for each other. The modules of other
# components follow when it is there: beside the upload field, the viewer is ready before a ZIP has been sent.
_LOADER = """
const base = new URL(%(address)s, document.baseURI).href;
const preload = (names) => {
  for (const href of names.map((name) => base + name)) {
    if (document.querySelector(`link[href="${href}"]`)) continue;
    document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
  }
};
const load = () => import(base + %(entry)s);
preload(%(needed)s);
load().then(() => preload(%(others)s), () => {}); // whoever mounts the component hears of a failure
export default async (component) => (await load()).default(component);
"""


def declare(name: str) -> ComponentRenderer:
    """Register the component of the folder ``name``, whose HTML, CSS and first module have the same name."""
    entry = f"{name}/{name}.js"
    first = needed(entry)
    others = [module for module in MODULES if module not in first]
    values = {"address": ADDRESS, "entry": entry, "needed": first, "others": others}
    return st.components.v2.component(
        name,
        html=(FOLDER / name / f"{name}.html").read_text(encoding="utf-8"),
        css="".join((FOLDER / path).read_text(encoding="utf-8") for path in ("shared/base.css", f"{name}/{name}.css")),
        js=_LOADER % {key: json.dumps(value) for key, value in values.items()},
    )
