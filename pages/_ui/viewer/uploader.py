"""The upload field: sends a ZIP straight from the browser to the API and tells the session which stack it became."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.base.errors import AppError
from core.base.settings import MIB
from core.images.formats import format_names
from core.runtime import get_runtime
from core.stacks.upload import ONLY_ZIP, too_large
from pages._ui.components.contract import Refusals, UploaderData
from pages._ui.components.declare import declare
from pages._ui.shell.links import STACKS, first_needed
from pages._ui.shell.session import Session

_renderer = declare("uploader")
COMPACT_PX = 240
_LONGEST_SENTENCE = 500  # what a browser reports is shown to its own person only, and still bounded


def uploader(session: Session, *, key: str, compact: bool = False) -> None:
    """The field, or with ``compact`` only a button. A ZIP may be dropped anywhere on the page."""
    settings = get_runtime().settings
    entries, size = settings.max_entries, settings.max_upload_bytes // MIB
    _renderer(
        key=key,
        width=COMPACT_PX if compact else "stretch",
        data=UploaderData(
            compact=compact,
            button="Open another ZIP" if compact else "Browse files",
            hint=f"{format_names()}. Up to {size:,} MB and {entries:,} files. Folders are fine.",
            limit=settings.max_upload_bytes,
            refusals=Refusals(
                several="Send one ZIP at a time.", not_zip=ONLY_ZIP, too_large=too_large(settings.max_upload_bytes)
            ),
            url=STACKS,
            prefetch=first_needed(),
        ).model_dump(),
        # In the callback, so that the page is drawn once, with the new stack.
        on_event_change=lambda: receive(session, st.session_state[key].get("event")),
    )


def receive(session: Session, event: Mapping[str, Any] | None) -> None:
    """Take what the browser reports: ``{"stack": id}`` of a finished upload, or ``{"error": sentence}``."""
    if not isinstance(event, Mapping):
        return
    if "stack" not in event:
        session.upload_error = str(event.get("error", ""))[:_LONGEST_SENTENCE]
        return
    try:
        stack = get_runtime().store.get(str(event["stack"]))
    except AppError as error:
        session.upload_error = str(error)
        return
    if stack is not session.stack:
        session.adopt(stack)
