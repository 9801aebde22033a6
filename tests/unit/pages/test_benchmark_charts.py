"""Charts: everything measured is in them, in colours that can be seen on both themes, and they become pictures."""

from __future__ import annotations

import tomllib

import pytest

from core.base.settings import PROJECT_ROOT
from core.benchmark.plan import SUBJECT_NAMES
from core.benchmark.report import Sweep, SweepCell
from pages._ui.benchmark.charts import (
    ENGINE_COLORS,
    STAGE_COLORS,
    chart_sheet,
    rate_chart,
    stage_chart,
    sweep_chart,
    time_chart,
)
from pages._ui.benchmark.saved import picture
from tests.unit.benchmark.benchmark_reports import make_report, make_run


def luminance(color: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("color", sorted({*ENGINE_COLORS.values(), *STAGE_COLORS.values()}))
def test_colours_are_seen_on_the_page(theme: str, color: str) -> None:
    config = tomllib.loads((PROJECT_ROOT / ".streamlit" / "config.toml").read_text())
    assert contrast(color, config["theme"][theme]["backgroundColor"]) >= 3


def test_every_engine_has_a_colour_of_its_own() -> None:
    assert set(ENGINE_COLORS) == set(SUBJECT_NAMES)
    assert len(set(ENGINE_COLORS.values())) == len(SUBJECT_NAMES)


@pytest.mark.parametrize("counts", [(50,), (50, 100, 600)])
@pytest.mark.parametrize("draw", [rate_chart, time_chart])
def test_lines_for_several_counts_and_bars_for_one(draw: object, counts: tuple[int, ...]) -> None:
    report = make_report(runs=tuple(make_run(images=images) for images in counts))
    assert callable(draw)
    content = draw(report, "end-to-end").to_dict()
    kind = content["layer"][0]["mark"]
    assert (kind["type"] if isinstance(kind, dict) else kind) == ("bar" if len(counts) == 1 else "line")
    (rows,) = content["datasets"].values()
    assert [row["Images"] for row in rows] == list(counts)
    assert all(row["low"] <= row["high"] for row in rows)


def test_the_stages_add_up_to_what_was_measured() -> None:
    runs = (make_run(images=50), make_run(images=100))
    (rows,) = stage_chart(make_report(runs=runs), "end-to-end").to_dict()["datasets"].values()
    assert sum(row["ms"] for row in rows) == pytest.approx(sum(runs[1].stages_ms.values()))
    assert {row["Stage"] for row in rows} <= set(STAGE_COLORS)


def make_sweep() -> Sweep:
    cells = tuple(
        SweepCell(batch_size=size, streams=streams, images_per_second=90.0 + size)
        for size in (1, 8)
        for streams in (1, 2)
    )
    return Sweep(engine="openvino-int8", cells=cells, best=cells[2], product_streams=2)


def test_the_heat_map_frames_one_setting() -> None:
    (rows,) = sweep_chart(make_sweep()).to_dict()["datasets"].values()
    assert len(rows) == 4
    (best,) = (row for row in rows if row["best"])
    assert (best["Batch size"], best["Streams"]) == (8, 1)


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("svg", b"<svg")])
def test_all_charts_become_one_picture(kind: str, begins: bytes) -> None:
    report = make_report(sweep=make_sweep())
    assert kind in ("png", "svg")
    found = picture(report, "png" if kind == "png" else "svg")
    data = found.encode() if isinstance(found, str) else found
    assert data.startswith(begins)
    assert len(chart_sheet(report).vconcat) == 3, "two modes and the sweep"
    assert len(chart_sheet(make_report()).vconcat) == 2
