"""What an evaluation has found: what to know, the headline, and the rest in tabs."""

from __future__ import annotations

import streamlit as st

from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from core.trust.evaluation.evaluation import Evaluation
from core.trust.evaluation.notes import Note
from core.trust.evaluation.report import EvaluationReport, RunReport
from pages._ui.evaluate.classes import classes_of_run
from pages._ui.evaluate.comparison import evaluation_comparison
from pages._ui.evaluate.confidence import confidence
from pages._ui.evaluate.confusion import confusion_section
from pages._ui.evaluate.downloads import evaluation_downloads
from pages._ui.evaluate.images import worst_images
from pages._ui.evaluate.none_of_these import known_scores
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session

_WARNED = ("few_images", "one_class_only")  # of the notes that leave nothing out


def evaluation_results(session: Session, stack: ImageStack, found: Evaluation, report: EvaluationReport) -> None:
    """Everything about the last evaluation."""
    st.subheader("Results")
    show_notes(report.notes)
    with st.container(horizontal=True):
        for run in report.runs:
            _headline(run)
    place = 0
    if len(report.runs) > 1:
        chosen = st.segmented_control(
            "Show",
            range(len(report.runs)),
            default=0,
            format_func=lambda number: report.runs[number].label,
            key="evaluate-run",
        )
        place = chosen or 0
    run = report.runs[min(place, len(report.runs) - 1)]
    show_notes(run.notes)
    titles = ["Confusion", "Classes", "Confidence", "Worst images"]
    titles += ["None of these"] if run.known else []
    titles += ["Comparison"] if report.comparisons else []
    tabs = dict(zip(titles, st.tabs(titles), strict=True))
    with tabs["Confusion"]:
        confusion_section(session, stack, found.runs[place])
    with tabs["Classes"]:
        classes_of_run(run)
    with tabs["Confidence"]:
        confidence(report.runs, run, found.runs[place].judged)
    with tabs["Worst images"]:
        worst_images(session, stack, found.runs[place])
    if run.known:
        with tabs["None of these"]:
            known_scores(run.known, get_runtime().recognition.results(stack).threshold)
    if report.comparisons:
        with tabs["Comparison"]:
            evaluation_comparison(session, found, report)
    evaluation_downloads(stack, found, report)


def show_notes(told: tuple[Note, ...]) -> None:
    """What to know: loud where something was not judged or the figures say little, quiet otherwise."""
    for note in told:
        if note.left_out or note.code in _WARNED:
            st.warning(escape(note.text), icon=":material/warning:")
        else:
            st.caption(escape(note.text))


def _headline(run: RunReport) -> None:
    five = (
        ""
        if run.top5 is None
        else f" Among the five best: {run.top5.value:.1%} ({run.top5.low:.1%} to {run.top5.high:.1%})."
    )
    st.metric(
        f"{escape(run.label)} · {run.images:,} images",
        f"{run.top1.value:.1%} right",
        f"{run.top1.low:.1%} to {run.top1.high:.1%}",
        delta_color="off",
        delta_arrow="off",
        help=f"Of {run.images:,} images whose class is known, those that it names rightly (top-1), and below the "
        f"interval in which the true share lies, 95 times of 100.{five} Model: {escape(run.title)}.",
        border=True,
    )
