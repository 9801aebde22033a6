"""Who is taken for whom: a matrix whose cells open their images, and the worst pairs as a list."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.stacks.stack import ImageStack
from core.trust.evaluation import figures
from core.trust.evaluation.charts import CELL, confusion_chart
from core.trust.evaluation.evaluation import Run
from pages._ui.evaluate.images import images_of_cell
from pages._ui.shell.messages import escape, images
from pages._ui.shell.session import Session

MOST_CLASSES = 25  # in the matrix
_MOST_PAIRS = 50
_OTHERS = "(others)"
_RIGHT, _WRONG = "47,134,214", "208,112,10"  # red, green, blue of cells on and beside the diagonal


def confusion_section(session: Session, stack: ImageStack, run: Run) -> None:
    """The matrix, the pairs, and the images of the cell or pair chosen last."""
    places = figures.most_confused(run.judged, MOST_CLASSES)
    normalised = st.toggle(
        "As shares of each class", help="Each row in percent of the images that show its class.", key="evaluate-shares"
    )
    left, right = st.columns([3, 2])
    with left:
        _matrix(session, run, places, normalised=normalised)
    with right:
        _pairs(session, run)
    _chosen_images(session, stack, run)


def _matrix(session: Session, run: Run, places: list[int], *, normalised: bool) -> None:
    st.markdown("**What images show (rows) and what they were called (columns)**")
    counts = figures.confusion(run.judged, places)
    names = [run.classes[place] for place in places]
    columns = [*names, _free(_OTHERS, names)]
    if not counts[:, -1].any():
        counts, columns = counts[:, :-1], columns[:-1]
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    text = "#e8edf2" if st.context.theme.type == "dark" else "#0a0f14"  # as .streamlit/config.toml has them
    st.altair_chart(
        confusion_chart(counts.tolist(), names, columns, text, shares=normalised),
        on_select=partial(_mark_chosen, session, run, places, tuple(columns)),
        selection_mode=CELL,
        width="stretch",
        key="evaluate-confusion-chart",
    )
    everything = len(np.union1d(run.judged.truth, run.judged.said))
    if everything > len(places):
        st.caption(
            f"The {len(places)} classes that are mixed up most, of {everything:,}; all others stand in the last column."
        )
    st.caption("Click a number to see its images below.")
    with st.expander("The same as a table", icon=":material/table_chart:"):
        table = pd.DataFrame(shares if normalised else counts, index=names, columns=columns)
        styled = table.style.apply(lambda _: _colors(shares, table), axis=None).format(_written(shares=normalised))
        st.dataframe(
            styled,
            on_select=partial(_cell_chosen, session, run, places, tuple(columns)),
            selection_mode="single-cell",
            width="stretch",
            key="evaluate-confusion",
        )


def _written(*, shares: bool) -> Callable[[Any], str]:
    """A cell's text; a point for nothing, so that what is there stands out."""
    return lambda value: (f"{value:.0%}" if shares else f"{value:,}") if value else "·"


def _colors(shares: np.ndarray, table: pd.DataFrame) -> pd.DataFrame:
    """A stronger colour for a larger share: one on the diagonal, another beside it."""
    own = np.eye(*shares.shape) > 0
    css = [
        [
            f"background-color: rgba({_RIGHT if right else _WRONG},{min(share, 1) * 0.6 + 0.05:.2f})" if share else ""
            for share, right in zip(row, rights, strict=True)
        ]
        for row, rights in zip(shares.tolist(), own.tolist(), strict=True)
    ]
    return pd.DataFrame(css, index=table.index, columns=table.columns)


def _mark_chosen(session: Session, run: Run, places: list[int], columns: tuple[str, ...]) -> None:
    """A cell of the chart."""
    for mark in st.session_state["evaluate-confusion-chart"].get("selection", {}).get(CELL, ()):
        if (shows := mark.get("Shows")) in columns:
            _open_cell(session, run, places, columns, columns.index(shows), mark.get("Was called"))


def _cell_chosen(session: Session, run: Run, places: list[int], columns: tuple[str, ...]) -> None:
    """A cell of the table."""
    for row, column in st.session_state["evaluate-confusion"].get("selection", {}).get("cells", ()):
        _open_cell(session, run, places, columns, int(row), column)


def _open_cell(
    session: Session, run: Run, places: list[int], columns: tuple[str, ...], row: int, column: str | None
) -> None:
    """Show the images of one; what the browser says of it need not make sense."""
    if column not in columns or not 0 <= row < len(places):
        return
    number, judged, truth = columns.index(column), run.judged, places[row]
    if number < len(places):
        _show(session, figures.images_of(judged, truth, places[number]), run.classes[truth], column)
    else:
        rows = (judged.truth == truth) & ~np.isin(judged.said, np.array(places))
        _show(session, judged.images[rows].tolist(), run.classes[truth], "something else")


def _pairs(session: Session, run: Run) -> None:
    st.markdown("**Taken for another, the most frequent first**")
    pairs = figures.pairs(run.judged)
    if not pairs:
        st.success("No image was called another class than it shows.", icon=":material/check_circle:")
        return
    shown = np.bincount(run.judged.truth)
    rows = [
        {
            "Shows": run.classes[pair.truth],
            "Was called": run.classes[pair.said],
            "Images": len(pair.images),
            "Of its class": len(pair.images) / int(shown[pair.truth]),
        }
        for pair in pairs[:_MOST_PAIRS]
    ]
    st.dataframe(
        pd.DataFrame(rows),
        column_config={"Of its class": st.column_config.NumberColumn(format="percent")},
        hide_index=True,
        on_select=partial(_pair_chosen, session, run, pairs),
        selection_mode="single-row",
        width="stretch",
        key="evaluate-pairs",
    )
    if len(pairs) > _MOST_PAIRS:
        st.caption(f"{_MOST_PAIRS} of {len(pairs):,}; the report has more, the JSON all.")


def _pair_chosen(session: Session, run: Run, pairs: tuple[figures.ConfusedPair, ...]) -> None:
    for row in st.session_state["evaluate-pairs"].get("selection", {}).get("rows", ()):
        if 0 <= int(row) < len(pairs):
            pair = pairs[int(row)]
            _show(session, list(pair.images), run.classes[pair.truth], run.classes[pair.said])


def _show(session: Session, chosen: list[int], shows: str, called: str) -> None:
    session.evaluation_cell = (shows, called, tuple(chosen))
    if chosen:
        session.show(chosen[0], chosen)


def _chosen_images(session: Session, stack: ImageStack, run: Run) -> None:
    if session.evaluation_cell is None:
        return
    shows, called, positions = session.evaluation_cell
    there = f"**{images(len(positions))}** of {escape(shows)} called {escape(called)}"
    st.markdown(there + (", selected in the gallery below:" if positions else "."))
    if positions:
        images_of_cell(session, stack, run, positions, f"evaluate-cell-{session.view_version}")


def _free(name: str, taken: list[str]) -> str:
    while name in taken:
        name += " "
    return name
