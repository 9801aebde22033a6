"""Charts of an evaluation: bounded, seen on light and dark, and a stranger's name is text in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.trust.evaluation.charts import (
    COLORS,
    GREY,
    MOST_CLASSES,
    class_chart,
    confusion_chart,
    coverage_chart,
    reliability_chart,
    svg,
)
from core.trust.evaluation.html_report import MATRIX_CLASSES, to_html
from core.trust.evaluation.report import EvaluationReport
from tests.unit.trust.evaluation.judgements import random_judged
from tests.unit.trust.evaluation.test_report import evaluation

CONFIG = Path(__file__).parents[4] / ".streamlit" / "config.toml"


def report(classes: int) -> EvaluationReport:
    names = tuple(f"<b>kind {number}</b>" for number in range(classes))
    found = [random_judged(300, classes, seed) for seed in (1, 2)]
    return EvaluationReport.of(evaluation(found, names, tuple(f"{number}.png" for number in range(300)), "<i>m</i>"))


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [*COLORS, GREY])
def test_colours_stand_out_from_both_backgrounds(colour: str) -> None:
    for background in re.findall(r'^backgroundColor = "(#\w{6})"', CONFIG.read_text(), re.MULTILINE):
        darker, lighter = sorted((luminance(colour), luminance(background)))
        assert (lighter + 0.05) / (darker + 0.05) >= 3


@pytest.mark.parametrize("classes", [2, 60])
def test_one_mark_for_each_class_up_to_a_bound_the_worst_first(classes: int) -> None:
    found = report(classes).runs[0]
    (rows,) = class_chart(found).to_dict()["datasets"].values()
    assert len(rows) == min(len([one for one in found.classes if one.recall.images]), MOST_CLASSES)
    assert [row["F1"] for row in rows] == sorted(row["F1"] for row in rows)
    assert rows[0]["F1"] == min(one.f1.value for one in found.classes if one.recall.images)


def test_as_svg_names_are_text_and_colours_of_text_are_the_pages() -> None:
    runs = report(7).runs
    for chart in (reliability_chart(runs), coverage_chart(runs), class_chart(runs[0])):
        made = svg(chart)
        assert "<b>" not in made
        assert "<i>" not in made
        assert "<script" not in made
        assert 'fill="currentColor"' in made


def test_the_matrix_has_a_cell_for_each_number_and_none_for_nothing() -> None:
    chart = confusion_chart([[3, 1, 0], [0, 0, 2]], ["<b>cat</b>", "dog"], ["<b>cat</b>", "dog", "(others)"])
    (rows,) = chart.to_dict()["datasets"].values()
    assert [(row["Shows"], row["Was called"], row["Images"], row["Of its class"], row["Kind"]) for row in rows] == [
        ("<b>cat</b>", "<b>cat</b>", 3, 0.75, "right"),
        ("<b>cat</b>", "dog", 1, 0.25, "wrong"),
        ("dog", "(others)", 2, 1.0, "wrong"),
    ]
    made = svg(chart)
    assert "<b>" not in made
    assert ">3<" in made
    assert ">0<" not in made
    assert "75%" in svg(confusion_chart([[3, 1]], ["cat"], ["cat", "dog"], shares=True))


@pytest.mark.parametrize("classes", [2, 25, 26])
def test_the_report_has_a_matrix_that_adds_up_where_it_can_be_read(classes: int) -> None:
    found = report(classes)
    made = to_html(found)
    assert made.count("and what they were called") == (2 if classes <= MATRIX_CLASSES else 0)
    if classes == 2:
        one = found.runs[0]
        wrong = {pair.known: pair.images for pair in one.confusion}
        for kind in one.classes:
            assert f">{kind.recall.images - wrong[kind.name]}<" in made


def test_one_run_needs_no_legend() -> None:
    assert "legend" not in svg(reliability_chart(report(7).runs[:1]))
    assert "legend" in svg(reliability_chart(report(7).runs))
