"""Addresses of our own HTTP routes, as the browser needs them."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from core.teach.live import LiveTeaching
from pages._ui.viewer.view import StackLinks

STACKS = "api/v1/stacks"
FILES = "api/v1/files"
# Templates: what is in braces is filled in here or in the browser.
INDEX = STACKS + "/{stack}/images"
ANSWERS = STACKS + "/{stack}/answers"
IMAGE_ANSWERS = STACKS + "/{stack}/images/{index}/answers"
IMAGE = STACKS + "/{stack}/images/{index}/display"
THUMBNAIL = STACKS + "/{stack}/images/{index}/thumbnail"
LABELS = STACKS + "/{stack}/labels"
TEACHING = STACKS + "/{stack}/teaching"
ALIKE = TEACHING + "/alike?image={index}"
VALUES = STACKS + "/{stack}/images/{index}/values"
PATIENT = STACKS + "/{stack}/images/{index}/patient"
EXPLANATION = STACKS + "/{stack}/images/{index}/explanation"


def of_stack(template: str, stack: ImageStack) -> str:
    """An address of ``stack``."""
    return template.replace("{stack}", stack.id)


def stack_links(stack: ImageStack) -> StackLinks:
    """Where the components find ``stack``; the address of its results changes whenever they do.

    Scaled in another way it is another stack to the browser, which has nothing of it yet.
    """
    version = get_runtime().recognition.results(stack).version
    by_stack = stack.range_of == "stack"
    choice = "?value_range=stack" if by_stack else ""
    return StackLinks(
        stack_id=f"{stack.id}-by-stack" if by_stack else stack.id,
        count=len(stack),
        index_url=of_stack(INDEX, stack) + choice,
        image_url=of_stack(IMAGE, stack) + choice,
        thumbnail_url=of_stack(THUMBNAIL, stack) + choice,
        values_url=of_stack(VALUES, stack),
        explanation_url=of_stack(EXPLANATION, stack),
        patient_url=of_stack(PATIENT, stack) if _may_know(stack) else "",
        tag=stack.fingerprint,
        results_url=f"{of_stack(ANSWERS, stack)}?version={version}" if version else "",
        answer_url=f"{of_stack(IMAGE_ANSWERS, stack)}?version={version}" if version else "",
    )


def _may_know(stack: ImageStack) -> bool:
    """Whether who looks may be told whose images these are, and files of a kind that says so are among them."""
    if not get_runtime().people.may_know(st.context.headers.get("Host", "")):
        return False
    return any(entry.format.names_people for entry in stack.entries)


def label_links(stack: ImageStack, live: LiveTeaching) -> StackLinks:
    """The same with Label mode, where labels and suggestions stand in the place of results."""
    return replace(
        stack_links(stack),
        results_url="",
        answer_url="",
        teaching_url=of_stack(TEACHING, stack),
        alike_url=of_stack(ALIKE, stack),
        teaching_revision=live.revision,
    )


def first_needed() -> list[str]:
    """What the page of a new stack asks for first, as templates with ``{stack}``."""
    return [INDEX, IMAGE.replace("{index}", "0")]


def absolute(address: str) -> str:
    """``address`` from the root of the host, behind a base path too, for elements that resolve it elsewhere."""
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{base}/{address}" if base else f"/{address}"
