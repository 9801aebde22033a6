"""The figures of a benchmark: the headline, charts, the table, and what the sweep found."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core.benchmark.formats import notes_of
from core.benchmark.plan import MODE_LABELS, SUBJECT_LABELS, Mode
from core.benchmark.report import BenchmarkRun, Report, Sweep
from pages._ui.benchmark.charts import rate_chart, stage_chart, sweep_chart, time_chart
from pages._ui.benchmark.state import Benchmarks
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session


def benchmark_results(session: Session, found: Benchmarks) -> None:
    """The report on show; a list to choose from where there are several."""
    st.subheader("Results")
    if len(found.reports) > 1:
        places = range(len(found.reports))
        found.shown = st.selectbox(
            "Benchmark", places, index=found.shown, format_func=lambda place: label_of(found.reports, place)
        )
    report = found.reports[found.shown]
    if len(found.reports) == 1:
        st.caption(escape(report.title))
    _headline(report)
    titles = ["Images per second", "Time", "Where the time goes"]
    if report.sweep is not None:
        titles.append("Batch size × streams")
    tabs = st.tabs(titles)
    modes = [mode for mode in report.plan.modes if any(run.mode == mode for run in report.runs)]
    for tab, draw in zip(tabs[:3], (rate_chart, time_chart, stage_chart), strict=True):
        with tab:
            for place, mode in zip(st.columns(len(modes)), modes, strict=True):
                place.markdown(f"**{_chart_title(report, mode)}**")
                place.altair_chart(draw(report, mode), width="stretch")
    with tabs[2]:
        st.caption(
            "CPU time per image at the largest number of images. Each stage is measured with all cores at that work "
            "alone; *rest* is what the run took beyond: thumbnails, copying, waiting in turn, and other sessions."
        )
    if report.sweep is not None:
        with tabs[3]:
            _sweep(session, report.sweep)
    _table(report)
    st.markdown("\n".join(f"- {escape(note)}" for note in notes_of(report)))


def _chart_title(report: Report, mode: Mode) -> str:
    counts = {run.images for run in report.runs if run.mode == mode}
    return MODE_LABELS[mode] + (f", {counts.pop():,} images" if len(counts) == 1 else "")


def label_of(reports: list[Report], place: int) -> str:
    """A saved benchmark in a list; the number tells those of the same minute apart."""
    return f"{place + 1}: {reports[place].title}"


def _headline(report: Report) -> None:
    """The fastest product engine at the largest number of images of each mode."""
    with st.container(horizontal=True):
        for mode in report.plan.modes:
            runs = [run for run in report.runs if run.mode == mode and not run.engine.startswith("baseline")]
            if runs:
                largest = max(run.images for run in runs)
                _metric(
                    max((run for run in runs if run.images == largest), key=lambda run: run.images_per_second), mode
                )


def _metric(run: BenchmarkRun, mode: Mode) -> None:
    against = run.speedup_vs_pytorch_fp32
    st.metric(
        f"{MODE_LABELS[mode]} · {run.images:,} images",
        f"{run.images_per_second:,.0f} images/s",
        SUBJECT_LABELS[run.engine] + (f", {against:.1f}× PyTorch FP32" if against else ""),
        delta_color="off",
        delta_arrow="off",
        help=f"The fastest engine, in batches of {run.batch_size:,}, median of {run.repeats:,} passes.",
        border=True,
    )


def _table(report: Report) -> None:
    rows: list[dict[str, Any]] = [
        {
            "Engine": SUBJECT_LABELS[run.engine],
            "Mode": MODE_LABELS[run.mode],
            "Images": f"{run.images:,}" + (" (repeated)" if run.distinct_images < run.images else ""),
            "Batch": run.batch_size,
            "Precision": run.precision,
            "Seconds": run.seconds_median,
            "Spread": f"{run.seconds_min:.2f} to {run.seconds_max:.2f}",
            "Images/s": run.images_per_second,
            "vs PyTorch FP32": run.speedup_vs_pytorch_fp32,
            "vs baseline PyTorch": run.speedup_vs_baseline_pytorch,
            "vs baseline OpenVINO": run.speedup_vs_baseline_openvino,
            "Of roofline": run.fraction_of_roofline,
            "Agreement": run.agreement_with_pytorch_fp32,
            "Latency, median": run.latency_ms_median,
            "p90": run.latency_ms_p90,
            "p99": run.latency_ms_p99,
            "n": run.latency_n,
            "CPU s/image": run.cpu_seconds_per_image,
            "Peak memory": run.peak_memory_mb,
        }
        for run in report.runs
    ]
    number = st.column_config.NumberColumn
    config: dict[str, Any] = {
        "Seconds": number(format="%.2f", help="Median of the passes"),
        "Spread": st.column_config.TextColumn(help="Fastest and slowest pass, seconds"),
        "Images/s": number(format="%.0f"),
        "vs PyTorch FP32": number(format="%.2f×", help="How many times faster than PyTorch FP32 in the same mode"),
        "vs baseline PyTorch": number(format="%.2f×", help="The straightforward pipeline with PyTorch FP32"),
        "vs baseline OpenVINO": number(format="%.2f×", help="The same with the INT8 model called synchronously"),
        "Of roofline": number(format="percent", help="Share of what the machine allows, see below"),
        "Agreement": number(
            format="percent", help="Images that PyTorch FP32 names alike; it does not say who is right"
        ),
        "Latency, median": number(format="%.1f ms", help="One image at a time, nothing else of the benchmark running"),
        "p90": number(format="%.1f ms", help="Nine of ten single images are faster"),
        "p99": number(format="%.1f ms", help="Given only where at least 100 single images were timed"),
        "n": number(help="Single images timed"),
        "CPU s/image": number(format="%.4f", help="CPU time of the whole server process"),
        "Peak memory": number(format="%.0f MB", help="Most resident memory of the whole server process"),
    }
    frame = pd.DataFrame(rows).dropna(axis="columns", how="all")  # without columns that nothing was measured for
    st.dataframe(frame, column_config=config, hide_index=True, width="stretch", key="benchmark-table")


def _sweep(session: Session, sweep: Sweep) -> None:
    best = sweep.best
    st.markdown(f"**{SUBJECT_LABELS[sweep.engine]}, images per second**")
    st.altair_chart(sweep_chart(sweep), width="stretch")
    st.markdown(
        f"Best: **batches of {best.batch_size:,} on {best.streams:,} streams**, {best.images_per_second:,.0f} "
        "images/s: the smallest setting within 3% of the fastest."
    )
    if best.streams != sweep.product_streams:
        st.caption(f"The app itself runs {sweep.product_streams:,} streams here, as OpenVINO advises.")
    if session.batch_size == best.batch_size:
        st.markdown(f":material/check: Batches of {best.batch_size:,} are in use in this session.")
    elif st.button(f"Use batches of {best.batch_size:,} in this session", icon=":material/check:"):
        session.batch_size = best.batch_size
        st.rerun()
