"""The one place that reaches into Streamlit's internals."""

from __future__ import annotations

import gc

from streamlit.runtime import Runtime


def drop_ended_sessions() -> None:
    """Let go of sessions whose time to reconnect is over; their state, and the stacks that hang on it, go with them.

    Streamlit forgets such a session only when another one connects or leaves, which on a quiet server may be hours
    later. Where Streamlit has changed, it stays at that.
    """
    manager = getattr(Runtime.instance(), "_session_mgr", None) if Runtime.exists() else None
    cache = getattr(getattr(manager, "_session_storage", None), "_cache", None)
    if cache is not None and hasattr(cache, "expire") and cache.expire():
        gc.collect()  # a session's objects refer to each other in circles
