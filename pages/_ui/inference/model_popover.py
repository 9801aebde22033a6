"""The choice of model and engine, as one button that every page has."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from core.base.errors import AppError
from core.base.version import VERSION
from core.engines.registry import engine_label
from pages._ui.inference.by_itself import by_itself_switch
from pages._ui.inference.run_panel import engine_options, meaning_of_answers
from pages._ui.shell.messages import escape
from pages._ui.shell.models import model_choice
from pages._ui.shell.session import Session

_MOST = 14  # characters of a model's name on the button, which is always equally wide


def shorten(name: str, most: int) -> str:
    """``name`` with at most ``most`` characters, three dots for what is left out."""
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def model_popover(session: Session) -> None:
    """Model and engine in one button, which opens what chooses them."""
    title = "No model"
    with suppress(AppError):  # missing or damaged: the list inside says so
        title = session.model.card.title
    short, by_itself = shorten(title.partition(":")[0], _MOST), session.by_itself
    with st.popover(
        f"{escape(short)} · {engine_label(session.engine)}", icon=":material/tune:", help="Model, engine and batch size"
    ):
        try:
            model_choice(session)
        except AppError as error:
            st.error(escape(error), icon=":material/error:")
        engine_options(session)
        by_itself_switch(session)
        with suppress(AppError):
            meaning_of_answers(session.model)
        st.caption(f"Version {VERSION}")
    if session.by_itself != by_itself:
        st.rerun()  # what goes by it is drawn already
