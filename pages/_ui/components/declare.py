"""Registering our components with Streamlit: HTML and CSS by value, JavaScript by address."""

from __future__ import annotations

import json

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from pages._ui.components.assets import ADDRESS, FOLDER, MODULES

# Streamlit makes a module of this text, without an address from which it could import. The modules come from our own
# route; all are asked for at once, so that their imports never wait for each other, and a page that shows only the
# upload field has the viewer ready when the ZIP has been sent.
_LOADER = """
const base = new URL(%(address)s, document.baseURI).href;
for (const name of %(modules)s) {
  if (document.querySelector(`link[href="${base + name}"]`)) continue; // another component has asked for it
  document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href: base + name }));
}
export default async (component) => (await import(base + %(entry)s)).default(component);
"""


def declare(name: str) -> ComponentRenderer:
    """Register the component of the folder ``name``, whose HTML, CSS and first module have the same name."""
    entry = f"{name}/{name}.js"
    others = [module for module in MODULES if module != entry]
    values = {"address": ADDRESS, "modules": [entry, *others], "entry": entry}
    return st.components.v2.component(
        name,
        html=(FOLDER / name / f"{name}.html").read_text(encoding="utf-8"),
        css="".join((FOLDER / path).read_text(encoding="utf-8") for path in ("shared/base.css", f"{name}/{name}.css")),
        js=_LOADER % {key: json.dumps(value) for key, value in values.items()},
    )
