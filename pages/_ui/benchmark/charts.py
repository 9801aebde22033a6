"""Charts of a report; colours are chosen to be told apart, and to be seen, on light and on dark pages."""

from __future__ import annotations

from itertools import cycle
from typing import cast

import altair as alt
import pandas as pd

from core.benchmark.plan import BASELINE_NAMES, MODE_LABELS, SUBJECT_LABELS, SUBJECT_NAMES, Mode, SubjectName
from core.benchmark.report import BenchmarkRun, Report, Sweep
from core.engines.registry import engine_names

# At least 3:1 against both of the theme's backgrounds (WCAG 2.2, 1.4.11): test_benchmark_charts.py.
_ENGINE_PALETTE = ("#2f86d6", "#d0700a", "#9a6ad6", "#c9566b", "#2b98a3", "#a07c2a")
_BASELINE_PALETTE = ("#7d8590", "#2c9c68")
ENGINE_COLORS: dict[SubjectName, str] = dict(zip(engine_names(), cycle(_ENGINE_PALETTE))) | dict(
    zip(BASELINE_NAMES, cycle(_BASELINE_PALETTE))
)
STAGE_COLORS = {
    "read": "#7d8590",
    "decode": "#d0700a",
    "preprocess": "#2c9c68",
    "infer": "#2f86d6",
    "postprocess": "#9a6ad6",
    "rest": "#c9566b",
}
HEIGHT = 380  # with axis and legend

Chart = alt.Chart | alt.LayerChart

_SHEET_WIDTH = 360
_LEGEND = alt.Legend(orient="bottom", title=None, columns=2, labelLimit=240)


def rate_chart(report: Report, mode: Mode) -> Chart:
    """Images/s against the number of images; the thin lines span the repeats."""
    return _against_images(report, mode, "images/s", "Images per second")


def time_chart(report: Report, mode: Mode) -> Chart:
    """Seconds against the number of images; the thin lines span the repeats."""
    return _against_images(report, mode, "seconds", "Seconds")


def stage_chart(report: Report, mode: Mode) -> Chart:
    """CPU milliseconds per image by stage, one bar for each engine, at the largest number of images."""
    largest = max(run.images for run in report.runs if run.mode == mode)
    rows = [
        {"Engine": SUBJECT_LABELS[run.engine], "Stage": stage, "ms": milliseconds, "place": place}
        for run in report.runs
        if run.mode == mode and run.images == largest
        for place, stage in enumerate(STAGE_COLORS)
        if (milliseconds := run.stages_ms.get(stage, 0.0)) > 0
    ]
    stages = [stage for stage in STAGE_COLORS if any(row["Stage"] == stage for row in rows)]
    chart: alt.Chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar()
        .encode(
            x=alt.X("sum(ms):Q", title="CPU milliseconds per image"),
            y=alt.Y("Engine:N", title=None, sort=None, axis=alt.Axis(labelLimit=200)),
            color=alt.Color(
                "Stage:N",
                scale=alt.Scale(domain=stages, range=[STAGE_COLORS[stage] for stage in stages]),
                legend=alt.Legend(orient="bottom", title=None, columns=3),
            ),
            order=alt.Order("place:Q"),
            tooltip=["Engine", "Stage", alt.Tooltip("ms:Q", format=".2f")],
        )
        .properties(height=alt.Step(34))
    )
    return chart


def sweep_chart(sweep: Sweep) -> Chart:
    """Images/s as a heat map over batch sizes and streams; the best setting is framed."""
    rows = [
        {
            "Batch size": cell.batch_size,
            "Streams": cell.streams,
            "images/s": cell.images_per_second,
            "best": cell == sweep.best,
        }
        for cell in sweep.cells
    ]
    rates = [cell.images_per_second for cell in sweep.cells]
    span = [max(rates) / 2, max(rates)]  # from the fastest to half of it, so that noise does not look like a cliff
    middle = sum(span) / 2
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("Batch size:O", axis=alt.Axis(labelAngle=0)), y=alt.Y("Streams:O")
    )
    cells = base.mark_rect(strokeWidth=4).encode(
        color=alt.Color("images/s:Q", scale=alt.Scale(scheme="viridis", domain=span), legend=None),
        stroke=alt.condition("datum.best", alt.value("#e8403a"), alt.value(None)),
        tooltip=["Batch size", "Streams", alt.Tooltip("images/s:Q", format=".0f")],
    )
    numbers = base.mark_text(fontSize=14).encode(
        text=alt.Text("images/s:Q", format=".0f"),
        # viridis runs from dark to light
        color=alt.condition(f"datum['images/s'] > {middle}", alt.value("#101418"), alt.value("#ffffff")),
    )
    layers = alt.LayerChart(layer=[cells, numbers])
    return layers.properties(height=alt.Step(56))


def chart_sheet(report: Report) -> alt.VConcatChart:
    """All charts of a report on one white sheet, for a document."""
    rows: list[Chart | alt.HConcatChart] = []
    for mode in report.plan.modes:
        if any(run.mode == mode for run in report.runs):
            charts = (rate_chart(report, mode), time_chart(report, mode), stage_chart(report, mode))
            title = MODE_LABELS[mode]
            row = alt.HConcatChart(hconcat=[chart.properties(width=_SHEET_WIDTH) for chart in charts], title=title)
            rows.append(row.resolve_scale(color="independent", shape="independent"))  # or one legend would hold all
    if report.sweep is not None:
        title = f"Batch size × streams: {SUBJECT_LABELS[report.sweep.engine]}, images/s"
        rows.append(sweep_chart(report.sweep).properties(width=_SHEET_WIDTH, title=title))
    environment = report.environment
    heading = alt.Title(report.title, subtitle=f"{environment.cpu}, {environment.cores} cores", anchor="start")
    sheet = alt.VConcatChart(vconcat=rows, background="white", title=heading)
    return cast(alt.VConcatChart, sheet.resolve_scale(color="independent", x="independent", y="independent"))


def _against_images(report: Report, mode: Mode, field: str, title: str) -> Chart:
    runs = [run for run in report.runs if run.mode == mode]
    frame = pd.DataFrame([_row(run, field) for run in runs])
    counts = sorted({run.images for run in runs})
    engines = [name for name in SUBJECT_NAMES if any(run.engine == name for run in runs)]
    labels = [SUBJECT_LABELS[name] for name in engines]
    color = alt.Color(
        "Engine:N", scale=alt.Scale(domain=labels, range=[ENGINE_COLORS[name] for name in engines]), legend=_LEGEND
    )
    tooltip = ["Engine", "Images", alt.Tooltip(f"{field}:Q", format=".3~g"), "Spread"]
    value = alt.Y(f"{field}:Q", title=title, scale=alt.Scale(zero=True))
    if len(counts) == 1:
        base = alt.Chart(frame).encode(x=alt.X("Engine:N", sort=labels, title=None, axis=alt.Axis(labels=False)))
        marks: alt.Chart = base.mark_bar().encode(y=value, color=color, tooltip=tooltip)
        # Upon the bars, which have the series' colour
        spread = base.mark_rule(strokeWidth=2, color="#7d8590").encode(y="low:Q", y2="high:Q")
    else:
        base = alt.Chart(frame).encode(x=alt.X("Images:Q", axis=alt.Axis(values=counts), scale=alt.Scale(nice=False)))
        marks = base.mark_line(point=alt.OverlayMarkDef(size=70, filled=True), strokeWidth=2.5).encode(
            y=value, color=color, shape=alt.Shape("Engine:N", scale=alt.Scale(domain=labels), legend=_LEGEND),
            tooltip=tooltip,
        )  # fmt: skip
        spread = base.mark_rule(strokeWidth=1.5).encode(y="low:Q", y2="high:Q", color=color)
    return alt.LayerChart(layer=[marks, spread]).properties(height=HEIGHT)


def _row(run: BenchmarkRun, field: str) -> dict[str, object]:
    rates = field == "images/s"
    low, high = (run.seconds_max, run.seconds_min) if rates else (run.seconds_min, run.seconds_max)
    low, high = (run.images / low, run.images / high) if rates else (low, high)
    return {
        "Engine": SUBJECT_LABELS[run.engine],
        "Images": run.images,
        field: run.images_per_second if rates else run.seconds_median,
        "low": low,
        "high": high,
        "Spread": f"{low:.3g} to {high:.3g}",
    }
