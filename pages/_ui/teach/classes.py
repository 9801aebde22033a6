"""Naming classes, and labels as files.

Buttons of this page act in callbacks: a label given meanwhile draws the page anew, and a press that waits for its line
of the script would be lost with that run.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.api.body_limit import MAX_BODY_BYTES
from core.base.errors import AppError
from core.base.settings import MIB
from core.engines.registry import engine_names
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from core.stacks.upload import too_large
from core.teach.live import LiveTeaching
from core.teach.saved import MAX_BYTES as MAX_SESSION_BYTES
from core.teach.saved import SavedTeaching, read_saved
from core.trust.label_files import MAX_BYTES, from_folders, to_csv
from pages._ui.components.contract import Refusals, UploaderData
from pages._ui.shell.downloads import download_button, filename_of
from pages._ui.shell.links import LABELS, absolute, of_stack
from pages._ui.shell.messages import escape, images
from pages._ui.shell.models import teachable_models
from pages._ui.shell.session import Session
from pages._ui.teach.state import watch
from pages._ui.viewer.uploader import told, uploader_field

_MAX_NAME = 100  # characters of a class


def class_field(session: Session, stack: ImageStack, live: LiveTeaching) -> None:
    """The field for a new class, and the menus beside it."""
    with st.container(key="classes", horizontal=True, vertical_alignment="bottom"):
        # Not cleared by the browser: a report of the gallery right after it would join it, and bring the empty field.
        form = st.form("new-class", border=False, width=380)
        with form, st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("New class", max_chars=_MAX_NAME, placeholder="scratches", key="new-class-name")
            st.form_submit_button("Add", icon=":material/add:", on_click=lambda: _add(session, live))
        if live.labels.classes:
            with st.popover("Edit classes", icon=":material/edit:"):
                _edit(session, live)
        with st.popover("Labels from…", icon=":material/upload:"):
            _labels_in(session, stack, live)
        if live.labels.by_image:
            with st.popover("Save labels", icon=":material/download:"):
                _labels_out(stack, live)
        with st.popover("Session", icon=":material/save:"):
            _session_file(session, stack, live)
    if session.teach_error:
        st.error(escape(session.teach_error), icon=":material/error:")
    if session.teach_note:
        st.success(escape(session.teach_note), icon=":material/check_circle:")


def _do(session: Session, action: Callable[[], object]) -> None:
    """A change of labels; why it was refused is shown until the next one."""
    session.teach_error = session.teach_note = ""
    try:
        action()
    except AppError as error:
        session.teach_error = str(error)


def _add(session: Session, live: LiveTeaching) -> None:
    name = str(st.session_state["new-class-name"])
    if name.strip():
        _do(session, lambda: live.labels.add_class(name))
        if not session.teach_error:
            st.session_state["new-class-name"] = ""


def _edit(session: Session, live: LiveTeaching) -> None:
    labels = live.labels
    counts = labels.counts
    chosen = st.selectbox("Class", list(counts), format_func=lambda name: f"{name} ({counts.get(name, 0):,})")
    key = f"rename-{chosen}"
    with st.form("rename-class", border=False):
        st.text_input("New name", value=chosen, max_chars=_MAX_NAME, key=key)
        st.form_submit_button(
            "Rename",
            icon=":material/edit:",
            on_click=lambda: _do(session, lambda: labels.rename_class(chosen, str(st.session_state[key]))),
        )
    st.button(
        "Remove the class",
        icon=":material/delete:",
        help="Its images have no label then. Undo brings both back.",
        on_click=lambda: _do(session, lambda: labels.remove_class(chosen)),
    )


def _labels_in(session: Session, stack: ImageStack, live: LiveTeaching) -> None:
    names = [entry.name for entry in stack.entries]
    st.caption("The class of an image is the folder it lies in, or stands in a CSV with file name and class.")
    st.button(
        "From folder names",
        icon=":material/folder:",
        on_click=lambda: _do(session, lambda: live.labels.assign_each(from_folders(names))),
    )
    limit = min(MAX_BYTES, MAX_BODY_BYTES)
    uploader_field(
        UploaderData(
            compact=True,
            button="From a CSV",
            invitation="Labels as CSV",
            hint="",
            drop="Drop the CSV to take its labels",
            endings=[".csv", ".txt"],
            media_type="text/csv",
            limit=limit,
            refusals=Refusals(
                several="Send one file at a time.", wrong_kind="Labels come as a CSV file.", too_large=too_large(limit)
            ),
            url=of_stack(LABELS, stack),
            prefetch=[],
        ),
        key="labels-csv-file",
        receive=lambda: _taken(session, live),
    )


def _taken(session: Session, live: LiveTeaching) -> None:
    event = told("labels-csv-file")
    session.teach_error, session.teach_note = str(event.get("error") or ""), ""
    if "unknown_files" in event:
        unknown = int(event["unknown_files"])
        others = f" {unknown:,} of its lines are about files that are not in this stack." if unknown else ""
        session.teach_note = f"The file's labels are here: {images(len(live.labels.by_image))} have one now.{others}"


def _labels_out(stack: ImageStack, live: LiveTeaching) -> None:
    names = [entry.name for entry in stack.entries]
    download_button(
        "As CSV",
        lambda: to_csv(live.labels.by_image, names),
        filename_of(stack, "labels.csv"),
        icon=":material/table:",
    )
    st.link_button(
        "As folders in a ZIP",
        absolute(of_stack(LABELS, stack)) + "?form=zip",
        icon=":material/folder_zip:",
        help="The labelled images as they came, in a folder for each class.",
    )


def _session_file(session: Session, stack: ImageStack, live: LiveTeaching) -> None:
    st.caption(
        "A file with labels, what was recognised, the models of both, and what is on show. The images are not in it: "
        "open the same ZIP first, under whatever name."
    )
    results = get_runtime().recognition.results(stack)
    download_button(
        "Save session",
        lambda: _save(session, stack, live),
        filename_of(stack, "session.json"),
        icon=":material/save:",
        disabled=not live.labels.classes and not results.engines,
    )
    given = st.file_uploader(
        "Open session",
        type="json",
        max_upload_size=MAX_SESSION_BYTES // MIB,
        key=f"open-session-{session.opened_sessions}",
    )
    if given is None:
        return
    session.opened_sessions += 1  # an empty field for the next one
    session.teach_error = session.teach_note = ""
    try:
        saved = read_saved(given.getvalue(), stack)
        saved.restore(live.labels, stack, results)
    except AppError as error:
        session.teach_error = str(error)
        st.rerun()
    models = {model.card.name: model for model in teachable_models(session)}
    backbone, in_use = models.get(saved.model), models.get(saved.in_use)
    live = watch(session, stack, backbone)
    if in_use is not None and not session.working:
        session.chosen_model = in_use
    if saved.engine in engine_names() and not session.working:
        session.engine = saved.engine
    live.threshold = saved.threshold
    live.labels.saved = live.labels.version
    session.show(min(saved.current, len(stack) - 1), [index for index in saved.selected if index < len(stack)])
    missing = [name for name in dict.fromkeys((saved.model, saved.in_use)) if name and name not in models]
    if missing:
        named = " and ".join(missing)
        session.teach_error = f"The session is back. Not installed here, and so not in use: {named}."
    st.rerun()


def _save(session: Session, stack: ImageStack, live: LiveTeaching) -> bytes:
    """The file; what is in it is not asked about when somebody leaves, once the browser has heard of it."""
    version = live.labels.version
    data = _saved(session, stack, live).to_bytes()
    live.labels.saved = version
    return data


def _saved(session: Session, stack: ImageStack, live: LiveTeaching) -> SavedTeaching:
    backbone = session.backbone or live.session.looker.backbone
    return SavedTeaching.of(
        live.labels,
        stack,
        model=backbone.card.name,
        threshold=live.own_threshold,
        current=session.view.current,
        selected=session.view.selected,
        in_use=session.model.card.name,
        engine=session.engine,
        results=get_runtime().recognition.results(stack),
    )
