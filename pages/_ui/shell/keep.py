"""The threshold of "none of these" as people move it: the share of known images that is kept."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

LEAST_KEPT = 50  # percent


def keep_slider(threshold: float, meaning: str, *, key: str, on_change: Callable[[], None]) -> None:
    """A slider that shows ``threshold`` of the known score (0..1), and what it means."""
    st.slider(
        "Keep of known images",
        LEAST_KEPT,
        100,
        max(LEAST_KEPT, round(100 * (1 - threshold))),
        format="%d%%",
        key=key,
        on_change=on_change,
        help=f"{meaning} The more known images are kept, the more others pass as well; 100% turns it off.",
    )


def threshold_of(kept: int) -> float:
    """The threshold of the known score for a share that is kept, in percent."""
    return round(1 - kept / 100, 2)
