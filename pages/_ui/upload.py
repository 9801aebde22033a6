"""Getting a stack in: the upload field, the sample stack, and what came of it."""

from __future__ import annotations

import io
from collections import Counter
from typing import BinaryIO

import pandas as pd
import streamlit as st

from core.errors import AppError
from core.pixels import RENDERING_RULES
from core.sample import make_sample_stack
from core.settings import MIB, get_settings
from core.stack import ImageStack
from pages._ui.compat import release_upload
from pages._ui.messages import escape
from pages._ui.session import Session


def upload_area(session: Session) -> None:
    """The field that takes a ZIP and the button that makes a sample; redraws the page once a stack is open."""
    settings = get_settings()
    uploaded = st.file_uploader(
        "ZIP of PNG images",
        type="zip",
        key=f"upload-{session.upload_number}",
        help=f"Up to {settings.max_upload_bytes // MIB:,} MB and {settings.max_entries:,} files. Folders are fine.",
    )
    if st.button("Try a sample stack", icon=":material/photo_library:", help="47 photos and microscope-like frames"):
        with st.spinner("Making the sample stack…"):
            _open(session, _sample(), "sample-stack.zip")
    if uploaded is not None:
        session.upload_number += 1
        release_upload(uploaded)  # what is in hand stays readable until it is dropped
        _open(session, uploaded, uploaded.name)


def upload_error(session: Session) -> None:
    """Why the last upload failed, until one succeeds."""
    if session.upload_error:
        kept = " The stack you had open is still here." if session.stack else ""
        st.error(session.upload_error + kept, icon=":material/error:")


def stack_summary(stack: ImageStack) -> None:
    """One line about what came in, and everything that was skipped, with its reason."""
    sizes = Counter((entry.header.width, entry.header.height) for entry in stack.entries)
    (width, height), _ = sizes.most_common(1)[0]
    size = f"{width} × {height} px" + (f" and {len(sizes) - 1:,} other sizes" if len(sizes) > 1 else "")
    megabytes = sum(entry.file_size for entry in stack.entries) / 1e6
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{escape(stack.name)}** · {len(stack):,} images · {size} · {megabytes:,.1f} MB", width="content")
        if stack.skipped:
            with st.popover(f"{len(stack.skipped):,} skipped", icon=":material/info:"):
                st.caption("These files of the ZIP are not part of the stack.")
                rows = [(item.name, item.reason) for item in stack.skipped]
                st.dataframe(pd.DataFrame(rows, columns=["File", "Reason"]), hide_index=True, width="stretch")


def rendering_note() -> None:
    """How pixels are shown and given to the model."""
    with st.expander("How images are shown and recognised", icon=":material/help:"):
        st.markdown(
            f"{RENDERING_RULES} Zoom, rotation and flips are for your eyes only: the model always gets the image "
            "as it is in the file, scaled to 256 px on its shorter side and cut to the central 224 × 224 px."
        )


def _open(session: Session, source: BinaryIO, name: str) -> None:
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    bar = st.progress(0.0, text=f"Opening {name}…")

    def on_copied(copied: int) -> None:
        bar.progress(min(copied / max(size, 1), 1.0), text=f"Opening {name}…")

    try:
        session.open(source, name, on_copied)
    except AppError as error:
        session.upload_error = str(error)
    st.rerun()


def _sample() -> BinaryIO:
    packed = io.BytesIO()
    make_sample_stack(packed)
    return packed
