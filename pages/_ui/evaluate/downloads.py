"""An evaluation as files, each made when asked for."""

from __future__ import annotations

import streamlit as st

from core.stacks.stack import ImageStack
from core.trust.evaluation.evaluation import Evaluation
from core.trust.evaluation.html_report import to_html
from core.trust.evaluation.report import EvaluationReport
from core.trust.evaluation.tables import classes_csv, images_csv


def downloads(stack: ImageStack, found: Evaluation, report: EvaluationReport) -> None:
    """Report, images, classes, all figures."""
    name = stack.name.removesuffix(".zip")
    with st.container(horizontal=True):
        for title, make, ending, kind in (
            ("Report as HTML", lambda: to_html(report), "evaluation.html", "text/html"),
            ("Images as CSV", lambda: images_csv(found), "evaluation-images.csv", "text/csv"),
            ("Classes as CSV", lambda: classes_csv(found), "evaluation-classes.csv", "text/csv"),
            ("All figures as JSON", lambda: report.model_dump_json(indent=1), "evaluation.json", "application/json"),
        ):
            st.download_button(
                title,
                make,
                f"{name}-{ending}",
                kind,
                icon=":material/download:",
                on_click="ignore",
                key=f"evaluate-download-{ending}",
            )
