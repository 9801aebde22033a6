"""Whether confidences say how often answers are right, and what answering only the sure ones would bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.trust.evaluation import confidence as measured
from core.trust.evaluation.answers import Judged
from core.trust.evaluation.charts import coverage_chart, reliability_chart
from core.trust.evaluation.report import CoverageReport, RunReport
from core.trust.evaluation.sentences import coverage_sentence
from core.trust.share import ShareRight
from pages._ui.shell.messages import escape


def confidence(runs: Sequence[RunReport], run: RunReport, judged: Judged) -> None:
    """Reliability, coverage, and a threshold to move."""
    left, right = st.columns(2)
    with left:
        st.markdown("**Reliability: share right against confidence**")
        st.altair_chart(reliability_chart(runs), width="stretch")
        error = run.calibration_error
        st.markdown(
            f"Calibration error {error.value:.3f} ({error.low:.3f} to {error.high:.3f}); chance alone explains up to "
            f"{run.calibration_error_by_chance:.3f}. On average it is {run.mean_confidence:.1%} sure and "
            f"{run.top1.value:.1%} right."
        )
        st.caption(
            "On the dashed line confidences are true. Above it answers are right more often than they say, below it "
            "less often. Expected calibration error, 15 bins of equal width."
        )
    with right:
        st.markdown("**Answering only the surest: share right against images answered**")
        st.altair_chart(coverage_chart(runs), width="stretch")
        percent = st.slider("Answer only from this confidence on", 0, 100, 80, format="%d%%", key="evaluate-threshold")
        st.markdown(escape(coverage_sentence(CoverageReport.of(measured.coverage(judged, percent / 100)))))
        _table(run)


def _table(run: RunReport) -> None:
    rows = [
        {
            "Confidence from": one.threshold,
            "Answered": one.answered.value,
            "Answered, interval": _interval(one.answered),
            "Of these right": one.right.value if one.right.images else None,
            "Right, interval": _interval(one.right),
        }
        for one in run.coverage
    ]
    number = st.column_config.NumberColumn(format="percent")
    config: dict[str, Any] = dict.fromkeys(("Confidence from", "Answered", "Of these right"), number)
    st.dataframe(pd.DataFrame(rows), column_config=config, hide_index=True, width="stretch", key="evaluate-coverage")


def _interval(share: ShareRight) -> str:
    return f"{share.low:.1%} to {share.high:.1%}" if share.images else "no image"
