"""Getting a stack in: the upload field, the sample stack, and what came of it."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import suppress
from typing import BinaryIO

import pandas as pd
import streamlit as st

from core.base.errors import AppError, ModelError
from core.base.reach import names_this_computer
from core.images.pixels import RENDERING_RULES
from core.images.preprocessing import STANDARD
from core.runtime import get_runtime
from core.stacks.sample import make_sample_stack
from core.stacks.stack import ImageStack
from pages._ui.shell.messages import escape, images, megabytes
from pages._ui.shell.session import Session
from pages._ui.viewer.uploader import uploader


def upload_area(session: Session) -> None:
    """The field that takes a stack, and the button that makes a sample."""
    uploader(session, key="upload")
    kinds = "Photos, a microscope's frames and a scan: PNG, TIFF and DICOM"
    if st.button("Try a sample stack", icon=":material/photo_library:", help=kinds):
        with st.spinner("Making the sample stack…"):
            try:
                session.open(_sample(), "sample-stack.zip")
            except AppError as error:
                session.upload_error = str(error)
        st.rerun()
    _folder_of_this_computer(session)


def _folder_of_this_computer(session: Session) -> None:
    """Where the person who runs the server may open folders of it: which one."""
    roots = get_runtime().roots
    if not roots.names or not names_this_computer(st.context.headers.get("Host", "")):
        return
    with st.form("folder", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        path = st.text_input(
            "Folder of this computer",
            roots.names[0],
            help=f"In {escape(', '.join(roots.names))}. It is not copied.",
        )
        if st.form_submit_button("Open", icon=":material/folder_open:"):
            try:
                session.adopt(roots.open(path, get_runtime().store, session.client))
                session.upload_error = ""
            except AppError as error:
                session.upload_error = str(error)
            st.rerun()


def upload_error(session: Session) -> None:
    """Why the last upload failed, until one succeeds."""
    if session.upload_error:
        kept = " The stack you had open is still here." if session.stack else ""
        st.error(escape(session.upload_error) + kept, icon=":material/error:")


def facts(stack: ImageStack) -> str:
    """``47 images · 480 × 319 px and 3 other sizes · 6.6 MB``."""
    sizes = Counter((entry.header.width, entry.header.height) for entry in stack.entries)
    (width, height), _ = sizes.most_common(1)[0]
    size = f"{width:d} × {height:d} px" + (f" and {len(sizes) - 1:,} other sizes" if len(sizes) > 1 else "")
    volume = megabytes(stack.file_bytes)
    return f"{images(len(stack))} · {size} · {volume}"


def stack_summary(stack: ImageStack) -> None:
    """One line about what came in, and everything that was skipped, with its reason."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{escape(stack.name)}** · {facts(stack)}", width="content")
        skipped_files(stack)


def skipped_files(stack: ImageStack) -> None:
    """A button with what was left out of the stack, and why; nothing where that is nothing."""
    if stack.skipped:
        with (
            st.container(key="skipped", width="content"),
            st.popover(f"{len(stack.skipped):,} skipped", icon=":material/info:"),
        ):
            st.caption("These files are not part of the stack.")
            rows = [(item.name, item.reason) for item in stack.skipped]
            st.dataframe(pd.DataFrame(rows, columns=["File", "Reason"]), hide_index=True, width="stretch")


def rendering_note(session: Session) -> None:
    """How pixels are shown and given to the model in use."""
    preprocessing = STANDARD
    with suppress(ModelError):  # there is none; the choice of a model says so
        preprocessing = session.model.preprocessing
    with st.popover("How images are shown and recognised", icon=":material/help:"):
        st.markdown(
            f"{RENDERING_RULES} Zoom, rotation and flips are for your eyes only: the model always gets the image "
            f"as it is in the file, {escape(preprocessing.fit)}."
        )


def _sample() -> BinaryIO:
    packed = io.BytesIO()
    make_sample_stack(packed)
    packed.seek(0)
    return packed
