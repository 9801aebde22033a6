"""The one place that reaches into Streamlit's internals."""

from __future__ import annotations

import gc

from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile


def release_upload(uploaded: UploadedFile) -> None:
    """Let go of an uploaded file that has been read.

    Streamlit keeps every upload in memory until the session ends, also after its widget is gone; its own
    chat input removes files in this way. Where Streamlit has changed, the memory is freed later, as ever.
    """
    context = get_script_run_ctx()
    remove = getattr(context.uploaded_file_mgr, "remove_file", None) if context else None
    if context and remove:
        remove(session_id=context.session_id, file_id=uploaded.file_id)


def drop_ended_sessions() -> None:
    """Let go of sessions whose time to reconnect is over; their state, and the stacks that hang on it, go with them.

    Streamlit forgets such a session only when another one connects or leaves, which on a quiet server may be hours
    later. Where Streamlit has changed, it stays at that.
    """
    manager = getattr(Runtime.instance(), "_session_mgr", None) if Runtime.exists() else None
    cache = getattr(getattr(manager, "_session_storage", None), "_cache", None)
    if cache is not None and hasattr(cache, "expire") and cache.expire():
        gc.collect()  # a session's objects refer to each other in circles
