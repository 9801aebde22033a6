"""How well known images are told from foreign ones, at each threshold of the known score."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.recognition.results import THRESHOLD
from core.trust.evaluation.charts import known_chart
from core.trust.evaluation.report import KnownReport
from core.trust.evaluation.sentences import known_sentence, share_text
from pages._ui.shell.messages import escape

_TOLD = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def known_scores(known: KnownReport, threshold: float | None) -> None:
    """Which images pass; ``threshold`` is the stack's own, if somebody has moved it."""
    left, right = st.columns(2)
    with left:
        st.markdown("**What passes as known, at each threshold**")
        st.altair_chart(known_chart(known), width="stretch")
    with right:
        st.markdown(escape(known_sentence(known, THRESHOLD if threshold is None else threshold)))
        rows = [
            {
                "Threshold": f"{one.threshold:.2f}",
                "Known images that pass": share_text(one.known),
                "Foreign ones that pass": share_text(one.foreign) if known.foreign else "none here",
            }
            for one in known.passing
            if one.threshold in _TOLD
        ]
        st.table(pd.DataFrame(rows).set_index("Threshold"))
    st.caption(
        "The known score says how like an image is to what the model was taught on: the share of known images that are "
        "less so. Below the threshold, which is moved on the Inference page, an image is called *none of these*. "
        "Foreign are images with a label that is no class of the model."
    )
