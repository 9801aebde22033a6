"""An evaluation as files, each made when asked for."""

from __future__ import annotations

import streamlit as st

from core.stacks.stack import ImageStack
from core.trust.evaluation.evaluation import Evaluation
from core.trust.evaluation.html_report import to_html
from core.trust.evaluation.report import EvaluationReport
from core.trust.evaluation.tables import classes_csv, images_csv
from pages._ui.shell.downloads import download_button, filename_of


def evaluation_downloads(stack: ImageStack, found: Evaluation, report: EvaluationReport) -> None:
    """Report, images, classes, all figures."""
    with st.container(horizontal=True):
        for title, make, ending in (
            ("Report as HTML", lambda: to_html(report), "evaluation.html"),
            ("Images as CSV", lambda: images_csv(found), "evaluation-images.csv"),
            ("Classes as CSV", lambda: classes_csv(found), "evaluation-classes.csv"),
            ("All figures as JSON", lambda: report.model_dump_json(indent=1), "evaluation.json"),
        ):
            download_button(title, make, filename_of(stack, ending), key=f"evaluate-download-{ending}")
