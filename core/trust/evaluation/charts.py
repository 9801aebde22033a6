"""Charts of an evaluation, for the page and for the report; the colours are seen on light and on dark."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TypeVar

import altair as alt

from core.trust.evaluation.report import KnownReport, RunReport

# At least 3:1 against both of the theme's backgrounds (WCAG 2.2, 1.4.11), and told apart by shape as well.
COLORS = ("#2f86d6", "#d0700a", "#9a6ad6", "#c9566b", "#2b98a3", "#a07c2a")
GREY = "#7d8590"
HEIGHT = 320
MOST_CLASSES = 40  # in one chart
CELL = "cell"
_RIGHT, _WRONG = "right", "wrong"
_KNOWN, _FOREIGN = "show a class", "label is no class"
_LABEL = 40  # characters of a stranger's name beside an axis

_Channel = TypeVar("_Channel", alt.X, alt.Y)


def reliability_chart(runs: Sequence[RunReport]) -> alt.LayerChart:
    """The share right of each bin against its confidence, with its interval; on the line the two are equal."""
    rows = [
        {
            "Run": run.label,
            "Confidence": one.confidence,
            "Right": one.right.value,
            "low": one.right.low,
            "high": one.right.high,
            "Images": one.right.images,
        }
        for run in runs
        for one in run.reliability
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=_share(alt.X, "Confidence"), color=_color(runs))
    line = alt.Chart(alt.InlineData(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
    layers = [
        line.mark_line(strokeDash=[4, 4], color=GREY).encode(x="x:Q", y="y:Q"),
        base.mark_rule(strokeWidth=1.5).encode(y=_share(alt.Y, "low", "Share right"), y2="high:Q"),
        base.mark_point(filled=True, size=60).encode(
            y="Right:Q",
            shape=_shape(runs),
            tooltip=["Run:N", _tip("Confidence"), _tip("Right"), _tip("low"), _tip("high"), "Images:Q"],
        ),
    ]
    return alt.LayerChart(layer=layers).properties(height=HEIGHT)


def coverage_chart(runs: Sequence[RunReport]) -> alt.LayerChart:
    """The share right against the share of images answered, with its interval: from the surest few to all images."""
    rows = [
        {
            "Run": run.label,
            "Answered": one.answered.value,
            "Right": one.right.value,
            "low": one.right.low,
            "high": one.right.high,
            "From": one.threshold,
        }
        for run in runs
        for one in run.coverage_curve
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=_share(alt.X, "Answered", "Share of images answered"), color=_color(runs)
    )
    floor = min((one.right.value for run in runs for one in run.coverage_curve), default=0.0)
    scale = alt.Scale(domain=[max(0.0, int(floor * 10) / 10 - 0.1), 1], clamp=True)
    y = alt.Y("low:Q", title="Share right of these", scale=scale, axis=alt.Axis(format="%"))
    layers = [
        base.mark_area(opacity=0.15).encode(y=y, y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(
            y=alt.Y("Right:Q", scale=scale),
            strokeDash=alt.StrokeDash("Run:N", legend=None, sort=[run.label for run in runs]),
            tooltip=[
                "Run:N",
                _tip("From"),
                _tip("Answered"),
                _tip("Right"),
                _tip("low"),
                _tip("high"),
            ],
        ),
    ]
    return alt.LayerChart(layer=layers).properties(height=HEIGHT)


def known_chart(known: KnownReport) -> alt.LayerChart:
    """The share of known and of foreign images that pass, with its interval, at each threshold of the known score."""
    groups = {_KNOWN: [(one.threshold, one.known) for one in known.passing]}
    if known.foreign:
        groups[_FOREIGN] = [(one.threshold, one.foreign) for one in known.passing]
    rows = [
        {"Images": name, "Threshold": threshold, "Pass": passed.value, "low": passed.low, "high": passed.high}
        for name, points in groups.items()
        for threshold, passed in points
    ]
    names = list(groups)
    legend = alt.Legend(orient="bottom", title=None, labelLimit=240, symbolOpacity=1, symbolType="stroke")
    color = alt.Color("Images:N", scale=alt.Scale(domain=names, range=list(COLORS[: len(names)])), legend=legend)
    x = alt.X("Threshold:Q", title="Threshold of the known score", scale=alt.Scale(domain=[0, 1]))
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x, color=color)
    layers = [
        base.mark_area(opacity=0.15).encode(y=_share(alt.Y, "low", "Share that passes"), y2="high:Q"),
        base.mark_line(strokeWidth=2).encode(
            y="Pass:Q",
            strokeDash=alt.StrokeDash("Images:N", legend=None, sort=names),
            tooltip=["Images:N", alt.Tooltip("Threshold:Q", format=".2f"), _tip("Pass"), _tip("low"), _tip("high")],
        ),
    ]
    return alt.LayerChart(layer=layers).properties(height=HEIGHT)


def confusion_chart(
    counts: Sequence[Sequence[int]],
    names: Sequence[str],
    columns: Sequence[str],
    text: str = "currentColor",
    *,
    shares: bool = False,
) -> alt.LayerChart:
    """What images show (rows) and what they were called (columns); the point ``CELL`` is the cell that was chosen.

    Args:
        counts: images, by row and column.
        names: of the rows' classes, each once.
        columns: these again, and perhaps one more for all others.
        text: colour of the numbers.
        shares: whether these are shares of a row, or counts.
    """
    rows = [
        {
            "Shows": name,
            "Was called": column,
            "Images": count,
            "Of its class": count / max(sum(line), 1),
            "Kind": _RIGHT if name == column else _WRONG,
        }
        for name, line in zip(names, counts, strict=True)
        for column, count in zip(columns, line, strict=True)
        if count
    ]
    axis = alt.Axis(
        labelLimit=140, labelExpr=f"truncate(datum.label, {_LABEL})", labelOverlap=False, grid=True, tickBand="extent"
    )
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("Was called:N", scale=alt.Scale(domain=list(columns)), axis=axis),
        y=alt.Y("Shows:N", scale=alt.Scale(domain=list(names)), axis=axis),
    )
    color = alt.Color("Kind:N", scale=alt.Scale(domain=[_RIGHT, _WRONG], range=list(COLORS[:2])), legend=None)
    cells = base.mark_rect(cursor="pointer").encode(
        tooltip=["Shows:N", "Was called:N", "Images:Q", _tip("Of its class")],
        color=color,
        opacity=alt.Opacity("Of its class:Q", scale=alt.Scale(domain=[0, 1], range=[0.1, 0.7]), legend=None),
    )
    layers = [
        cells.add_params(alt.selection_point(name=CELL, fields=["Shows", "Was called"])),
        # Without a tooltip of their own, the numbers let a click through to their cells.
        base.mark_text(color=text).encode(
            text=alt.Text("Of its class:Q", format=".0%") if shares else alt.Text("Images:Q", format=",")
        ),
    ]
    return alt.LayerChart(layer=layers).properties(height=alt.Step(26))


def class_chart(run: RunReport, most: int = MOST_CLASSES) -> alt.LayerChart:
    """F1 of each class with its interval, the worst first; at most ``most`` of them."""
    worst = sorted((one for one in run.classes if one.recall.images), key=lambda one: one.f1.value)[:most]
    rows = [
        {
            "Class": one.name,
            "F1": one.f1.value,
            "low": one.f1.low,
            "high": one.f1.high,
            "Recall": one.recall.value,
            "Precision": one.precision.value,
            "Images": one.recall.images,
        }
        for one in worst
    ]
    axis = alt.Axis(labelLimit=140, labelExpr=f"truncate(datum.label, {_LABEL})")
    base = alt.Chart(alt.InlineData(values=rows)).encode(y=alt.Y("Class:N", sort=None, title=None, axis=axis))
    layers = [
        base.mark_rule(strokeWidth=2, color=COLORS[0]).encode(x=_share(alt.X, "low", "F1"), x2="high:Q"),
        base.mark_point(filled=True, size=60, color=COLORS[0]).encode(
            x="F1:Q",
            tooltip=["Class:N", _tip("F1"), _tip("low"), _tip("high"), _tip("Recall"), _tip("Precision"), "Images:Q"],
        ),
    ]
    return alt.LayerChart(layer=layers).properties(height=alt.Step(22))


def svg(chart: alt.LayerChart, width: int = 460) -> str:
    """The chart as SVG that takes its text's colour from the page around it."""
    import vl_convert  # 80 MB of code, needed for nothing else

    text = "currentColor"
    spec = chart.properties(width=width).to_dict()
    spec["background"] = "transparent"
    spec["config"] = {
        "font": "system-ui, sans-serif",
        "view": {"stroke": GREY, "strokeOpacity": 0.3},
        "axis": {"labelColor": text, "titleColor": text, "domainColor": GREY, "tickColor": GREY, "gridColor": GREY}
        | {"gridOpacity": 0.25},
        "legend": {"labelColor": text, "titleColor": text},
    }
    made: str = vl_convert.vegalite_to_svg(spec)
    return made


def _share(channel: type[_Channel], field: str, title: str | None = None) -> _Channel:
    return channel(f"{field}:Q", title=title or field, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))


def _color(runs: Sequence[RunReport]) -> alt.Color:
    return alt.Color("Run:N", scale=alt.Scale(domain=_names(runs), range=_colors(runs)), legend=_legend(runs))


def _shape(runs: Sequence[RunReport]) -> alt.Shape:
    return alt.Shape("Run:N", scale=alt.Scale(domain=_names(runs)), legend=_legend(runs))


def _legend(runs: Sequence[RunReport]) -> alt.Legend | None:
    return (
        alt.Legend(orient="bottom", title=None, columns=2, labelLimit=240, symbolOpacity=1) if len(runs) > 1 else None
    )


def _names(runs: Sequence[RunReport]) -> list[str]:
    return [run.label for run in runs]


def _colors(runs: Sequence[RunReport]) -> list[str]:
    return [color for _, color in zip(runs, cycle(COLORS))]


def _tip(field: str) -> alt.Tooltip:
    return alt.Tooltip(f"{field}:Q", title=field, format=".1%")
