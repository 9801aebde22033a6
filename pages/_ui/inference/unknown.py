"""Which images show none of the classes the model knows, and the threshold of that, which a person may move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.recognition.results import Prediction
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from pages._ui.shell.keep import keep_slider, threshold_of
from pages._ui.shell.messages import images

_NOT_TOLD = (
    "Unknown score not available: this model cannot tell images that show none of its classes, so every image gets the "
    "nearest of them."
)


def none_of_these(stack: ImageStack, found: Mapping[int, Sequence[Prediction]]) -> None:
    """How many of the images show none of the classes, and the slider; nothing runs again when it is moved."""
    leading = [answers[0] for answers in found.values() if answers[0].error is None]
    told = [prediction for prediction in leading if prediction.known is not None]
    if not told:
        if leading:
            st.caption(_NOT_TOLD)
        return
    results = get_runtime().recognition.results(stack)
    threshold = told[0].threshold
    key = f"kept-{stack.id}-{threshold}"
    unknown = sum(prediction.known is False for prediction in told)
    with st.container(key="none-of-these", border=True):
        st.markdown(f"**None of these**: {unknown:,} of {images(len(told))} show none of the classes this model knows.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            keep_slider(
                threshold,
                "An image is “none of these” where its known score is lower than that of this share of known images.",
                key=key,
                on_change=lambda: setattr(results, "threshold", threshold_of(st.session_state[key])),
            )
            if results.threshold is not None:
                st.button(
                    "Automatic",
                    type="tertiary",
                    key="automatic-kept",
                    on_click=lambda: setattr(results, "threshold", None),
                )
        st.caption(
            "The known score is the share of known images that are less like what the model was taught on. What you "
            "choose here holds for this stack: table, captions, gallery and downloads."
        )
