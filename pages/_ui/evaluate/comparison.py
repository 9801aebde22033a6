"""Two runs on the same images: who is right more often, and what flipped which way."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from core.trust.evaluation.evaluation import Evaluation
from core.trust.evaluation.report import ComparisonReport, EvaluationReport
from core.trust.evaluation.sentences import comparison_sentence
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session

_MOST_FLIPS = 100


def evaluation_comparison(session: Session, found: Evaluation, report: EvaluationReport) -> None:
    """Each pair; a choice where there are several."""
    pairs = report.comparisons
    place = 0
    if len(pairs) > 1:
        place = st.selectbox(
            "Pair",
            range(len(pairs)),
            format_func=lambda number: f"{pairs[number].first} and {pairs[number].second}",
            key="evaluate-pair",
        )
    _pair(pairs[place])
    _flips(session, found, place)


def _pair(pair: ComparisonReport) -> None:
    st.markdown(escape(comparison_sentence(pair)))
    st.caption(
        f"Both name the same class on {pair.agreement.value:.1%} of images ({pair.agreement.low:.1%} to "
        f"{pair.agreement.high:.1%}): that says nothing about who is right."
    )
    with st.container(horizontal=True):
        st.metric("Both right", f"{pair.both_right:,}", border=True)
        st.metric(f"Only {escape(pair.first)}", f"{pair.first_only:,}", border=True)
        st.metric(f"Only {escape(pair.second)}", f"{pair.second_only:,}", border=True)
        st.metric("Both wrong", f"{pair.both_wrong:,}", border=True)


def _flips(session: Session, found: Evaluation, place: int) -> None:
    pairing = found.pairings[place]
    first, second = found.runs[pairing.first].label, found.runs[pairing.second].label
    flips = pairing.found.flips[:_MOST_FLIPS]
    with st.container(horizontal=True):
        for label, positions in ((first, pairing.found.first_only), (second, pairing.found.second_only)):
            st.button(
                f"See what only {escape(label)} gets right ({len(positions):,})",
                icon=":material/photo_library:",
                disabled=not positions,
                on_click=partial(_show, session, positions),
                key=f"evaluate-only-{label}",
            )
    if not flips:
        st.success("They call every image the same.", icon=":material/check_circle:")
        return
    rows = [
        {"Shows": one.truth, f"{first} says": one.first, f"{second} says": one.second, "Images": len(one.images)}
        for one in flips
    ]
    key = f"evaluate-flips-{place}"
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        on_select=partial(_flip_chosen, session, key, [one.images for one in flips]),
        selection_mode="single-row",
        width="stretch",
        key=key,
    )
    st.caption("What they call differently, the most frequent first. Choose a row to select its images below.")


def _flip_chosen(session: Session, key: str, positions: list[tuple[int, ...]]) -> None:
    for row in st.session_state[key].get("selection", {}).get("rows", ()):
        if 0 <= int(row) < len(positions):
            _show(session, positions[int(row)])


def _show(session: Session, positions: tuple[int, ...]) -> None:
    if positions:
        session.show(positions[0], positions)
