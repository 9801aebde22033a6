"""An evaluation as one HTML file: it asks for nothing from outside, and runs no script."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from core.recognition.results import THRESHOLD
from core.trust.evaluation.charts import confusion_chart, coverage_chart, known_chart, reliability_chart, svg
from core.trust.evaluation.known import SOURCE_TITLES
from core.trust.evaluation.report import ClassReport, EvaluationReport, RunReport
from core.trust.evaluation.sentences import comparison_sentence, interval, known_sentence, percent, share_text

MATRIX_CLASSES = 25
CLASSES_SHOWN = 200
PAIRS_SHOWN = 100


def to_html(report: EvaluationReport) -> str:
    """The report as a page. Texts of strangers are escaped, and were one not, its own policy keeps it from running."""
    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=folder, autoescape=select_autoescape(), undefined=StrictUndefined)
    return environment.get_template("report.html").render(
        report=report,
        source=SOURCE_TITLES[report.labels],
        reliability=svg(reliability_chart(report.runs)),
        coverage=svg(coverage_chart(report.runs)),
        worst_classes=_worst_classes,
        classes_shown=CLASSES_SHOWN,
        pairs_shown=PAIRS_SHOWN,
        confusion=_confusion,
        known_chart=lambda known: svg(known_chart(known)),
        known_sentence=known_sentence,
        threshold=THRESHOLD,
        comparison=comparison_sentence,
        share=share_text,
        interval=interval,
        percent=percent,
    )


def _confusion(run: RunReport) -> str:
    """The matrix as SVG; empty where it would be too large to read."""
    names = [one.name for one in run.classes]
    if len(names) > MATRIX_CLASSES:
        return ""
    place = {name: number for number, name in enumerate(names)}
    counts = [[0] * len(names) for _ in names]
    for pair in run.confusion:
        counts[place[pair.known]][place[pair.named]] = pair.images
    for number, one in enumerate(run.classes):
        counts[number][number] = one.recall.images - sum(counts[number])
    return svg(confusion_chart(counts, names, names), width=max(320, 44 * len(names)))


def _worst_classes(run: RunReport) -> list[ClassReport]:
    return sorted(run.classes, key=lambda one: one.f1.value)[:CLASSES_SHOWN]
