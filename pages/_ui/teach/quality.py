"""How good the taught classes are told apart, as far as the labels themselves tell."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core.stacks.stack import ImageStack
from core.teach.evaluate import MORE, CrossValidation
from core.teach.live import Judgement, LiveTeaching
from pages._ui.shell.links import absolute, stack_links
from pages._ui.shell.messages import escape, images
from pages._ui.shell.session import Session

_MOST_MISTAKES = 50


def quality(session: Session, stack: ImageStack, live: LiveTeaching) -> None:
    """Accuracy, per class, the learning curve, who is taken for whom, and labels that look wrong."""
    learned = live.learned
    if learned.suggestions is None:
        st.caption("Give at least two classes two examples each; to judge, each needs three.")
        return
    if learned.not_judged:
        st.info(escape(learned.not_judged), icon=":material/info:")
    if live.waits_to_be_asked:
        st.button(
            "Judge these labels",
            icon=":material/speed:",
            help="Takes a while with so many: a few dozen fits.",
            on_click=live.judge,
        )
    judgement = learned.judgement
    if judgement is None:
        if not learned.not_judged:
            st.caption("Judging…" if live.pending else "Not judged yet.")
        return
    if judgement.version != live.labels.version:
        st.caption("About the labels before your latest changes.")
    found = judgement.evaluation
    _figures(found)
    for note in found.notes:
        st.warning(escape(note), icon=":material/warning:")
    left, right = st.columns(2)
    with left:
        _per_class(found)
    with right:
        _confusion(session, judgement)
    _mistakes(session, stack, judgement)


def _figures(found: CrossValidation) -> None:
    share = found.accuracy
    points = ", ".join(
        f"{point.examples_per_class:.0f} examples a class: {point.share.value:.0%}" for point in found.curve
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.metric(
            "Right on examples it had not seen",
            f"{share.value:.1%}",
            f"{share.low:.0%} to {share.high:.0%}",
            delta_color="off",
            delta_arrow="off",
            help=f"Cross-validation over {images(share.images)}: each is judged by a head that learnt from others. "
            "Below it the interval in which the true share lies, 95 times of 100.",
            border=True,
            width=320,
        )
        with st.container(width="stretch"):
            st.markdown(f"{MORE} more of **{escape(found.helps_most)}** would help most.")
            st.caption(f"So far: {points}.")


def _per_class(found: CrossValidation) -> None:
    st.markdown("**Each class**")
    rows = [
        {
            "Class": name,
            "Examples": share.images,
            "Right": share.value,
            "Interval": f"{share.low:.0%} to {share.high:.0%}",
        }
        for name, share in zip(found.classes, found.per_class, strict=True)
    ]
    config: dict[str, Any] = {
        "Right": st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0),
    }
    st.dataframe(pd.DataFrame(rows), column_config=config, hide_index=True, width="stretch", key="per-class")


def _confusion(session: Session, judgement: Judgement) -> None:
    found = judgement.evaluation
    st.markdown("**Your label (rows) and what it says (columns)**")
    table = pd.DataFrame(found.confusion, index=list(found.classes), columns=list(found.classes))
    st.dataframe(
        table,
        on_select=partial(_cell_chosen, session, judgement),
        selection_mode="single-cell",
        width="stretch",
        key="confusion",
    )
    st.caption("Click a number to select its images.")


def _cell_chosen(session: Session, judgement: Judgement) -> None:
    for row, column in _selection("confusion").get("cells", ()):
        found = judgement.evaluation
        if column not in found.classes or not 0 <= int(row) < len(found.classes):
            return
        said = found.logits.argmax(axis=1)
        given, named = found.classes[int(row)], found.classes.index(column)
        chosen = [
            index
            for place, (index, label) in enumerate(zip(judgement.images, judgement.labels, strict=True))
            if label == given and said[place] == named
        ]
        if chosen:
            session.show(chosen[0], chosen)


def _mistakes(session: Session, stack: ImageStack, judgement: Judgement) -> None:
    count = len(judgement.images)
    mistakes = [one for one in judgement.evaluation.mistakes if one.row < count][:_MOST_MISTAKES]
    if not mistakes:
        return
    st.markdown("**Labels that may be wrong**")
    thumbnails = absolute(stack_links(stack).thumbnail_url)
    positions = [judgement.images[one.row] for one in mistakes]
    rows = [
        {
            "Image": thumbnails.format(index=index),
            "Your label": one.given,
            "The others say": one.likely,
            "File": stack.entries[index].name,
        }
        for one, index in zip(mistakes, positions, strict=True)
    ]
    st.dataframe(
        pd.DataFrame(rows),
        column_config={"Image": st.column_config.ImageColumn(width=64)},
        hide_index=True,
        row_height=56,
        on_select=partial(_mistake_chosen, session, positions),
        selection_mode="single-row",
        width="stretch",
        key="mistakes",
    )
    st.caption("The surest first. Choose a row to see the image, and correct it if it is wrong.")


def _mistake_chosen(session: Session, positions: Sequence[int]) -> None:
    for row in _selection("mistakes").get("rows", ()):
        if 0 <= int(row) < len(positions):
            session.show(positions[int(row)])


def _selection(key: str) -> dict[str, Any]:
    return dict(st.session_state[key].get("selection", {}))
