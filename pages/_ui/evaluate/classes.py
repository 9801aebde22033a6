"""Each class: how well it is recognised, the worst first."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core.trust.evaluation.charts import MOST_CLASSES, class_chart
from core.trust.evaluation.report import ClassReport, RunReport
from core.trust.share import ShareRight


def classes_of_run(run: RunReport) -> None:
    """A chart of the worst classes, and a table of all."""
    st.caption(
        "Recall: of the images that show the class, those that were called so. Precision: of the images called so, "
        "those that show it; it goes by how many images of each class there are. F1 is their harmonic mean."
    )
    if len(run.classes) > MOST_CLASSES:
        st.caption(f"The chart shows the {MOST_CLASSES} worst of {len(run.classes):,} classes; the table has all.")
    left, right = st.columns([2, 3])
    with left:
        st.altair_chart(class_chart(run), width="stretch")
    with right:
        _table(run)


def _table(run: RunReport) -> None:
    rows = [_row(one) for one in sorted(run.classes, key=lambda one: one.f1.value)]
    percent = st.column_config.NumberColumn(format="percent")
    config: dict[str, Any] = {"Recall": percent, "Precision": percent, "F1": percent}
    st.dataframe(pd.DataFrame(rows), column_config=config, hide_index=True, width="stretch", key="evaluate-classes")


def _row(one: ClassReport) -> dict[str, object]:
    return {
        "Class": one.name,
        "Images": one.recall.images,
        "Recall": one.recall.value if one.recall.images else None,
        "Recall, interval": _interval(one.recall),
        "Precision": one.precision.value if one.precision.images else None,
        "Precision, interval": _interval(one.precision),
        "F1": one.f1.value,
        "F1, interval": f"{one.f1.low:.0%} to {one.f1.high:.0%}",
    }


def _interval(share: ShareRight) -> str:
    return f"{share.low:.0%} to {share.high:.0%}" if share.images else "no image"
