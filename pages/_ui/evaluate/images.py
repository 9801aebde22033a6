"""Tables of images that went wrong; a row opens its image in viewer and gallery below."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core.stacks.stack import ImageStack
from core.trust.evaluation import figures
from core.trust.evaluation.evaluation import Run
from pages._ui.shell.links import absolute, stack_links
from pages._ui.shell.messages import images
from pages._ui.shell.session import Session

_MOST_WORST = 100
_MOST_OF_A_CELL = 200


def worst_images(session: Session, stack: ImageStack, run: Run) -> None:
    """The images that were called something else than they show, the surest first."""
    rows = figures.worst(run.judged)
    if not len(rows):
        st.success("No image was called another class than it shows.", icon=":material/check_circle:")
        return
    st.caption(
        f"{images(len(rows))} went wrong; the surest first"
        + (f", {_MOST_WORST} of them" if len(rows) > _MOST_WORST else "")
        + ". Some of the labels may be wrong themselves: look. Choose a row to see its image below."
    )
    _table(session, stack, run, rows[:_MOST_WORST].tolist(), "evaluate-worst")


def images_of_cell(session: Session, stack: ImageStack, run: Run, positions: Sequence[int], key: str) -> None:
    """The images at these positions, which are all selected in the gallery."""
    wanted = set(positions[:_MOST_OF_A_CELL])
    rows = [row for row, index in enumerate(run.judged.images.tolist()) if index in wanted]
    _table(session, stack, run, rows, key, keep=tuple(positions))


def _table(
    session: Session, stack: ImageStack, run: Run, rows: list[int], key: str, keep: tuple[int, ...] = ()
) -> None:
    judged, classes = run.judged, run.classes
    thumbnails = absolute(stack_links(stack).thumbnail_url)
    rank, known = judged.rank, figures.known_confidence(judged)
    positions = [int(judged.images[row]) for row in rows]
    table = [
        {
            "Image": thumbnails.format(index=index),
            "Shows": classes[judged.truth[row]],
            "Was called": classes[judged.said[row]],
            "Confidence": float(judged.confidence[row]),
            "Known class came": f"{rank[row]}. ({known[row]:.0%})" if rank[row] else "not among five",
            "File": stack.entries[index].name,
        }
        for row, index in zip(rows, positions, strict=True)
    ]
    config: dict[str, Any] = {
        "Image": st.column_config.ImageColumn(width=64),
        "Confidence": st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0, width=130),
    }
    st.dataframe(
        pd.DataFrame(table),
        column_config=config,
        hide_index=True,
        row_height=56,
        height=320 if len(table) > 4 else "auto",
        on_select=partial(_chosen, session, key, positions, keep),
        selection_mode="single-row",
        width="stretch",
        key=key,
    )


def _chosen(session: Session, key: str, positions: Sequence[int], keep: tuple[int, ...]) -> None:
    for row in st.session_state[key].get("selection", {}).get("rows", ()):
        if 0 <= int(row) < len(positions):
            session.show(positions[int(row)], keep)
