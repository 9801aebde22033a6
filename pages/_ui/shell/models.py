"""Choosing a model, and keeping one that belongs to a session."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

import streamlit as st

from core.base.errors import ModelError
from core.engines.registry import engine_label
from core.models.model import Model
from core.runtime import get_runtime
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session

MAX_TITLE = 60  # characters of a model's name
_CHOICE = "model-choice"  # key of the field


def model_choice(session: Session) -> None:
    """The model of this session: installed ones, the session's own, and a word about damaged ones."""
    usable, damaged = get_runtime().models.installed()
    models = [*usable, *session.own_models]
    current: Model | None = None
    with suppress(ModelError):  # the default one is missing or damaged, and there may be others
        current = session.model
        if current not in models:
            models.append(current)
    titles = told_apart(models)
    place = models.index(current) if current else None

    def chosen() -> None:
        session.chosen_model = models[st.session_state[_CHOICE]]

    # One field, whatever is chosen in it: another one for each choice would have the list jump.
    if _CHOICE not in st.session_state or st.session_state[_CHOICE] != place:
        st.session_state[_CHOICE] = place
    st.selectbox(
        "Model",
        range(len(models)),
        index=None if place is None else 0,
        format_func=lambda place: titles[place],
        placeholder="Choose a model",
        disabled=session.working,
        key=_CHOICE,
        on_change=chosen,
    )
    if damaged:
        with st.expander(f"Damaged models: {len(damaged)}", icon=":material/broken_image:"):
            for one in damaged:
                st.markdown(f"**{escape(one.name)}**: {escape(one.reason)}")
    if current is None:
        return
    card = current.card
    with st.expander(f"{len(card.classes):,} classes", icon=":material/list:"):
        st.markdown(_class_list(card.classes))
        for engine, score in card.scores.items():
            st.caption(f"{engine_label(engine)}: top-1 accuracy {score.top1:.1%} on {score.images:,} photos")


def told_apart(models: Sequence[Model]) -> list[str]:
    """A title for each, no two alike: the browser answers a choice by its text, and a copy may be called as its source.

    Where titles are the same, the names stand before them, and where these are too, numbers behind.
    """
    titles = [model.card.title for model in models]
    twice = [titles.count(title) > 1 for title in titles]
    titles = [
        f"{model.card.name} · {title}" if again else title
        for title, model, again in zip(titles, models, twice, strict=True)
    ]
    return [f"{title} · {place}" if titles.count(title) > 1 else title for place, title in enumerate(titles, 1)]


def teachable_models(session: Session) -> list[Model]:
    """Models that give features, over which other classes can be learnt: installed ones, and those of this session."""
    usable, _ = get_runtime().models.installed()
    return [model for model in dict.fromkeys([*usable, *session.own_models]) if model.features]


@lru_cache(maxsize=4)  # a thousand classes take a millisecond
def _class_list(classes: tuple[str, ...]) -> str:
    return escape(", ".join(classes))


def keep_model(session: Session, model: Model) -> None:
    """Use a model that belongs to this session alone; its folder is one of ``Session.new_model_room``."""
    if model not in session.own_models:
        session.own_models.append(model)
    session.chosen_model = model
