"""Upload fields: a stack, or weights, straight from the browser to the API; the session is told what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from core.api.receive import ONLY_WEIGHTS, WEIGHTS_ENDINGS
from core.base.errors import AppError
from core.base.settings import MIB
from core.images.formats import format_names, formats
from core.runtime import get_runtime
from core.stacks.sources.names import ARCHIVE_ENDINGS
from core.stacks.upload import only_these, too_large
from pages._ui.components.contract import Refusals, Several, UploaderData
from pages._ui.components.declare import declare
from pages._ui.shell.links import FILES, STACKS, first_needed
from pages._ui.shell.session import Session

_renderer = declare("uploader")
PAIR = (".xml", ".bin")  # of an OpenVINO IR
_NO_PAIR = "Send one model at a time: one file, or the .xml and the .bin of an OpenVINO IR."
_LONGEST_SENTENCE = 500  # what a browser reports is shown to its own person only, and still bounded


def uploader(session: Session, *, key: str, compact: bool = False) -> None:
    """The field, or with ``compact`` only a button. Files may be dropped anywhere on the page, or pasted."""
    settings = get_runtime().settings
    entries, size = settings.max_entries, settings.max_upload_bytes // MIB
    _renderer(
        key=key,
        width="content" if compact else "stretch",
        data=UploaderData(
            compact=compact,
            button="Open another stack" if compact else "Browse files",
            invitation="Drop images, a folder, a ZIP or a TAR here",
            hint=f"{format_names()}; pasting works too. Up to {size:,} MB and {entries:,} files.",
            drop="Drop to open",
            endings=[*ARCHIVE_ENDINGS, *(ending for one in formats() for ending in one.extensions)],
            media_type="application/octet-stream",
            limit=settings.max_upload_bytes,
            refusals=Refusals(
                several="Send one archive at a time, or the images themselves.",
                wrong_kind=only_these(),
                too_large=too_large(settings.max_upload_bytes),
            ),
            several=Several(
                most=entries,
                archives=list(ARCHIVE_ENDINGS),
                media_types=[one.media_type for one in formats()],
                too_many=f"These are more than {entries:,} files, as many as a stack may have. Send fewer.",
                unreadable="The files cannot be read. Choose them again.",
            ),
            url=STACKS,
            prefetch=first_needed(),
            received=session.uploads,
        ).model_dump(),
        # In the callback, so that the page is drawn once, with the new stack.
        on_event_change=lambda: receive(session, st.session_state[key].get("event")),
    )


def uploader_field(data: UploaderData, *, key: str, receive: Callable[[], None]) -> None:
    """A field for another kind of file; ``receive`` is called once there is something in ``told``."""
    _renderer(key=key, width="content" if data.compact else "stretch", data=data.model_dump(), on_event_change=receive)


def told(key: str) -> Mapping[str, Any]:
    """What the browser reports of the field ``key``, its sentences cut to a length that people read."""
    event = st.session_state[key].get("event")
    if not isinstance(event, Mapping):
        return {}
    return {name: value[:_LONGEST_SENTENCE] if isinstance(value, str) else value for name, value in event.items()}


def weights_uploader(session: Session, *, key: str) -> None:
    """The field for a model's file, or the two of an OpenVINO IR, which become ``session.weights``."""
    limit = get_runtime().settings.max_weights_bytes
    half = session.weights[0].path.suffix if session.weights else ""
    other = next((ending for ending in PAIR if half and ending != half), "")
    _renderer(
        key=key,
        width="stretch",
        data=UploaderData(
            compact=False,
            button="Browse files",
            invitation=f"Now its {other}" if other else "Drop the model here",
            hint=f"Up to {limit // MIB:,} MB: {other or ', '.join(WEIGHTS_ENDINGS)}",
            drop="Drop the model to send it",
            endings=[other] if other else list(WEIGHTS_ENDINGS),
            media_type="application/octet-stream",
            limit=limit,
            refusals=Refusals(several=_NO_PAIR, wrong_kind=ONLY_WEIGHTS, too_large=too_large(limit)),
            url=FILES,
            together=1 if other else len(PAIR),
            prefetch=[],
        ).model_dump(),
        on_event_change=lambda: receive_weights(session, st.session_state[key].get("event")),
    )


def receive_weights(session: Session, event: Mapping[str, Any] | None) -> None:
    """Take what the browser reports: ``{"files": [id, ...]}``, or ``{"error": sentence}``."""
    if not isinstance(event, Mapping):
        return
    session.weights_error = str(event.get("error") or "")[:_LONGEST_SENTENCE]
    sent = event.get("files")
    if not isinstance(sent, list):
        return
    try:
        arrived = [get_runtime().store.files.get(str(file_id)) for file_id in sent[: len(PAIR)]]
    except AppError as error:
        session.weights_error = str(error)
        return
    together = sorted((*session.weights, *arrived), key=lambda one: one.path.suffix, reverse=True)
    if [one.path.suffix for one in together] == list(PAIR):
        session.keep_weights(*together)
        return
    session.keep_weights(*arrived)
    if len(arrived) > 1:
        session.keep_weights()
        session.weights_error = _NO_PAIR


def receive(session: Session, event: Mapping[str, Any] | None) -> None:
    """Take what the browser reports: ``{"stack": id}`` of a finished upload, or ``{"error": sentence}``."""
    if not isinstance(event, Mapping):
        return
    session.uploads += 1
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
