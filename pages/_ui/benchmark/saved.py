"""Benchmarks as files: downloads, opening a saved one, comparing two."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd
import streamlit as st

from core.base.errors import AppError
from core.benchmark.formats import compare_reports, report_csv, report_json, report_markdown
from core.benchmark.plan import MODE_LABELS, SUBJECT_LABELS
from core.benchmark.report import Report, read_report
from pages._ui.benchmark.charts import chart_sheet
from pages._ui.benchmark.results import label_of
from pages._ui.benchmark.state import Benchmarks
from pages._ui.shell.downloads import download_button
from pages._ui.shell.messages import escape

_PNG_SCALE = 2  # device pixels per CSS pixel: sharp in a document


def benchmark_downloads(report: Report) -> None:
    """The report in every form, each made when asked for."""
    name = f"benchmark-{report.created[:16].replace(':', '').replace('T', '-')}"
    with st.container(horizontal=True):
        for title, make, ending in (
            ("CSV", lambda: report_csv(report), "csv"),
            ("JSON", lambda: report_json(report), "json"),
            ("Markdown", lambda: report_markdown(report), "md"),
            ("Charts as PNG", lambda: picture(report, "png"), "png"),
            ("Charts as SVG", lambda: picture(report, "svg"), "svg"),
        ):
            download_button(title, make, f"{name}.{ending}", key=f"benchmark-{ending}")


def open_saved(found: Benchmarks) -> None:
    """A field for a benchmark that was saved as JSON."""
    with st.expander("Open a saved benchmark", icon=":material/folder_open:"):
        uploaded = st.file_uploader("Benchmark as JSON", type="json", key=f"benchmark-file-{len(found.reports)}")
        if uploaded is None:
            return
        try:
            found.keep(read_report(uploaded.getvalue()))
        except AppError as error:
            st.error(escape(error), icon=":material/error:")
            return
        st.rerun()


def benchmark_comparison(found: Benchmarks) -> None:
    """Two benchmarks side by side, once there are two."""
    if len(found.reports) < 2:
        return
    st.subheader("Compare")
    places = range(len(found.reports))
    left, right = st.columns(2)
    before = left.selectbox(
        "Before", places, index=len(places) - 2, format_func=lambda place: label_of(found.reports, place)
    )
    after = right.selectbox(
        "After", places, index=len(places) - 1, format_func=lambda place: label_of(found.reports, place)
    )
    pairs = compare_reports(found.reports[before], found.reports[after])
    if not pairs:
        st.info("They have no engine, mode and number of images in common.", icon=":material/compare_arrows:")
        return
    rows: list[dict[str, Any]] = [
        {
            "Engine": SUBJECT_LABELS[pair.after.engine],
            "Mode": MODE_LABELS[pair.after.mode],
            "Images": pair.after.images,
            "Before, images/s": pair.before.images_per_second,
            "After, images/s": pair.after.images_per_second,
            "After / before": pair.ratio,
        }
        for pair in pairs
    ]
    number = st.column_config.NumberColumn
    config: dict[str, Any] = {
        "Before, images/s": number(format="%.0f"),
        "After, images/s": number(format="%.0f"),
        "After / before": number(format="%.2f×"),
    }
    st.dataframe(pd.DataFrame(rows), column_config=config, hide_index=True, width="stretch", key="benchmark-pairs")
    if found.reports[before].environment.cpu != found.reports[after].environment.cpu:
        st.caption("They were measured on different CPUs.")


def picture(report: Report, kind: Literal["png", "svg"]) -> bytes | str:
    """All charts of a report as one picture, for a document."""
    import vl_convert  # 80 MB of code, needed for nothing else

    chart = chart_sheet(report).to_json()
    return vl_convert.vegalite_to_png(chart, scale=_PNG_SCALE) if kind == "png" else vl_convert.vegalite_to_svg(chart)
