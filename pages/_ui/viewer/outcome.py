"""The row above a page of a batch job's results: what has answered, which images these are, and the way to others."""

from __future__ import annotations

from typing import get_args

import streamlit as st

from core.base.errors import AppError
from core.batch.outcome.rows import RowKind, RowOrder, Wish
from core.batch.outcome.service import Page
from core.engines.registry import engine_label
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session
from pages._ui.shell.steps import REFRESH_SECONDS

_DIGITS = 12  # of a checksum, which tell it from all others
_KINDS: dict[RowKind, str] = {
    "all": "All",
    "known": "One of the classes",
    "unknown": "None of the classes",
    "errors": "No answer",
}
_ORDERS: dict[RowOrder, str] = {
    "job": "As in the job",
    "least sure": "Least sure first",
    "surest": "Surest first",
    "least known": "Least known first",
}


def outcome_row(session: Session, stack: ImageStack) -> None:
    """Draw it where ``stack`` shows results of a job; nothing elsewhere."""
    page = get_runtime().outcomes.page(stack)
    if page is None:
        return
    with st.container(key="outcome", horizontal=True, vertical_alignment="center", gap="small"):
        if page.outcome.ready:
            try:
                _turning(session, stack, page)
            except AppError as error:
                st.warning(escape(str(error)), icon=":material/broken_image:")
        else:
            _reading(page)
        st.caption(made_by(page))


def made_by(page: Page) -> str:
    """Which model and engine have answered, as Markdown."""
    facts = page.facts
    return (
        f"Answers of a batch job, not computed again: model **{escape(facts.model)}** "
        f"({escape(facts.model_checksum[:_DIGITS])}), {engine_label(facts.engine)} "
        f"({escape(facts.engine_checksum[:_DIGITS])})"
    )


@st.fragment(run_every=REFRESH_SECONDS)
def _reading(page: Page) -> None:
    if page.outcome.ready:
        st.rerun()
    st.caption("Reading the other rows of the job…")


def _turning(session: Session, stack: ImageStack, page: Page) -> None:
    """Which images these are of those that were asked for, steps to those before and after, and the filters."""
    total = len(page.outcome.find(page.wish)) if page.found is None else page.found
    shown = len(stack) - page.kept
    with st.popover("Filter the job", icon=":material/filter_alt:", type="secondary"):
        _filters(session, stack, page)
    step = get_runtime().outcomes.page_rows
    before, after = page.start > 0, page.start + shown < total
    if st.button(
        "Previous", icon=":material/chevron_left:", help="Images before these", key="job-before", disabled=not before
    ):
        _turn(session, stack, page, page.wish, page.start - step)
    if st.button(
        "Next", icon=":material/chevron_right:", help="Images after these", key="job-after", disabled=not after
    ):
        _turn(session, stack, page, page.wish, page.start + step)
    labelled = f" and {page.kept:,} labelled before" if page.kept else ""
    of = f"{total:,} found in {len(page.outcome.rows()):,}" if page.wish != Wish() else f"{total:,}"
    st.markdown(f"**{page.start + 1:,}–{page.start + shown:,}** of {of}{labelled}", width="content")


def _filters(session: Session, stack: ImageStack, page: Page) -> None:
    wish, counts = page.wish, page.outcome.counts()
    with st.form("outcome-filters", border=False):
        label = st.selectbox(
            "Class",
            [None, *counts],
            index=[None, *counts].index(wish.label) if wish.label in counts else 0,
            format_func=lambda name: "Any" if name is None else f"{name} ({counts[name]:,})",
        )
        percent = (round(wish.least * 100), round(wish.most * 100))
        least, most = st.slider("Confidence, %", 0, 100, percent)
        kind = st.selectbox("Shows", get_args(RowKind), list(_KINDS).index(wish.kind), format_func=_KINDS.__getitem__)
        name = st.text_input("Name contains", wish.name, max_chars=200)
        order = st.selectbox(
            "Order", get_args(RowOrder), list(_ORDERS).index(wish.order), format_func=_ORDERS.__getitem__
        )
        if st.form_submit_button("Show", type="primary"):
            _turn(session, stack, page, Wish(label, least / 100, most / 100, kind, name.strip(), order), 0)


def _turn(session: Session, stack: ImageStack, page: Page, wish: Wish, start: int) -> None:
    """Show another page in the place of this one; images with labels come along, with these."""
    runtime = get_runtime()
    labels = runtime.teaching.labels(stack)
    labelled = labels.by_image
    try:
        other = runtime.outcomes.turn_to(stack, wish, start, session.client, list(labelled))
    except AppError as error:
        session.upload_error = str(error)
        st.rerun()
    turned = runtime.outcomes.page(other)
    if labels.classes and turned is not None:
        places = turned.places
        taken = {places[page.numbers[index]]: name for index, name in labelled.items()}
        runtime.teaching.labels(other).assign_each(taken, labels.classes)
    session.replace(other)
    st.rerun()
