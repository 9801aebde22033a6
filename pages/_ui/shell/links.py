"""Addresses of our own HTTP routes, as the browser needs them."""

from __future__ import annotations

import streamlit as st

from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from pages._ui.viewer.view import StackLinks

STACKS = "api/v1/stacks"
FILES = "api/v1/files"
# Templates: what is in braces is filled in here or in the browser.
INDEX = STACKS + "/{stack}/images"
ANSWERS = STACKS + "/{stack}/answers"
IMAGE = STACKS + "/{stack}/images/{index}/display"
THUMBNAIL = STACKS + "/{stack}/images/{index}/thumbnail"
VALUES = STACKS + "/{stack}/images/{index}/values"


def stack_links(stack: ImageStack) -> StackLinks:
    """Where the components find ``stack``; the address of its results changes whenever they do."""

    def of_stack(template: str) -> str:
        return template.replace("{stack}", stack.id)

    version = get_runtime().recognition.results(stack).version
    return StackLinks(
        stack_id=stack.id,
        count=len(stack),
        index_url=of_stack(INDEX),
        image_url=of_stack(IMAGE),
        thumbnail_url=of_stack(THUMBNAIL),
        values_url=of_stack(VALUES),
        tag=stack.fingerprint,
        results_url=f"{of_stack(ANSWERS)}?version={version}" if version else "",
    )


def first_needed() -> list[str]:
    """What the page of a new stack asks for first, as templates with ``{stack}``."""
    return [INDEX, IMAGE.replace("{index}", "0")]


def absolute(address: str) -> str:
    """``address`` from the root of the host, behind a base path too, for elements that resolve it elsewhere."""
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{base}/{address}" if base else f"/{address}"
