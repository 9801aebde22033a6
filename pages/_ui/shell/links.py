"""Addresses of our own HTTP routes, as the browser needs them."""

from __future__ import annotations

import streamlit as st

from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from pages._ui.viewer.view import StackLinks


def stack_links(stack: ImageStack) -> StackLinks:
    """Where the components find ``stack``; the address of its results changes whenever they do."""
    base = f"api/v1/stacks/{stack.id}"
    version = get_runtime().recognition.results(stack).version
    return StackLinks(
        stack_id=stack.id,
        count=len(stack),
        index_url=base,
        image_url=f"{base}/images/{{index}}/display",
        thumbnail_url=f"{base}/images/{{index}}/thumbnail",
        values_url=f"{base}/images/{{index}}/values",
        tag=stack.fingerprint,
        results_url=f"{base}/results?version={version}" if version else "",
    )


def absolute(address: str) -> str:
    """``address`` from the root of the host, behind a base path too, for elements that resolve it elsewhere."""
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{base}/{address}" if base else f"/{address}"
