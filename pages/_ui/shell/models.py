"""Choosing a model, and adding one: ImageNet's, or a person's own weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

import streamlit as st

from core.base.errors import ModelError
from core.engines.registry import engine_label
from core.models.model import Model
from core.models.own import ImportJob
from core.runtime import get_runtime
from core.stacks.files import KeptFile
from pages._ui.shell.messages import escape, megabytes, waiting
from pages._ui.shell.model_in_use import get_imagenet
from pages._ui.shell.session import Session
from pages._ui.viewer.uploader import weights_uploader

_REFRESH_SECONDS = 0.5
_MAX_LABELS_MIB = 4


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
    place = st.selectbox(
        "Model",
        range(len(models)),
        index=models.index(current) if current else None,
        format_func=lambda place: titles[place],
        placeholder="Choose a model",
        disabled=session.working,
    )
    if damaged:
        with st.expander(f"Damaged models: {len(damaged)}", icon=":material/broken_image:"):
            for one in damaged:
                st.markdown(f"**{escape(one.name)}**: {escape(one.reason)}")
    if place is None:
        return
    chosen = models[place]
    if chosen is not current:
        session.chosen_model = chosen
        st.rerun()
    card = chosen.card
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
    """Models whose network can learn other classes: installed ones, and those of this session."""
    usable, _ = get_runtime().models.installed()
    return [model for model in dict.fromkeys([*usable, *session.own_models]) if model.has_network]


@lru_cache(maxsize=4)  # a thousand classes take a millisecond
def _class_list(classes: tuple[str, ...]) -> str:
    return escape(", ".join(classes))


def add_model(session: Session) -> None:
    """ImageNet by one button, own weights by a form."""
    st.subheader("Add a model")
    left, right = st.columns(2)
    with left, st.container(border=True):
        st.markdown("**ImageNet**")
        st.caption("1,000 everyday things, animals and plants: torchvision's weights, a download of 45 MB.")
        get_imagenet(session)
    with right, st.container(border=True):
        st.markdown("**Your own ResNet18**")
        st.caption("A state dict with torchvision's parameter names, for this session alone.")
        _own_weights(session)


def _own_weights(session: Session) -> None:
    weights = _weights(session)
    # Another form after each model that was added; one that was refused keeps its fields for another try.
    with st.form(f"own-weights-{len(session.own_models)}", border=False):
        title = st.text_input("Name", max_chars=60, placeholder="Parts inspection")
        labels = st.file_uploader(
            "Class labels",
            type=["txt", "json"],
            max_upload_size=_MAX_LABELS_MIB,
            help="One a line, or a JSON list, in the order of the outputs.",
        )
        asked = st.form_submit_button("Add", icon=":material/add:")
    if asked and session.import_job is None:
        missing = [
            name for name, given in {"a name": title.strip(), "weights": weights, "labels": labels}.items() if not given
        ]
        if weights is None or labels is None or missing:
            st.error(f"Still missing: {', '.join(missing)}.", icon=":material/error:")
            return
        _import(session, weights, labels.getvalue(), title.strip())
    if session.import_job is not None:
        _follow_import(session, session.import_job)


def _import(session: Session, weights: KeptFile, labels: bytes, title: str) -> None:
    folder, share = session.new_model_room(re.sub("[^a-z0-9]+", "-", title.lower()).strip("-") or "own")
    turn = session.take_turn(weights.file_id, "recognition")
    settings = get_runtime().settings
    session.import_job = ImportJob(weights.path, labels, folder, title, settings, turn, share.resize)
    session.watch(session.import_job)


def _follow_import(session: Session, job: ImportJob) -> None:
    """Wait for the job below its form, whose fields stay as they are for another try."""
    with st.spinner("Checking the weights…"):
        told = st.empty()
        while job.status == "running":
            told.caption(waiting(0) if job.waiting else "")  # also where a session that ends leaves
            job.wait(_REFRESH_SECONDS)
    session.import_job = None
    if job.model is None:
        st.error(escape(job.message), icon=":material/error:")
        return
    session.keep_weights(None)
    keep_model(session, job.model)
    st.rerun()


def _weights(session: Session) -> KeptFile | None:
    """The file of weights that has been sent, or the field that takes one."""
    weights = session.weights
    if weights is None:
        weights_uploader(session, key="weights")
        st.caption("Of a .pth or .pt file only the weights are read; code in it is never run.")
        if session.weights_error:
            st.error(escape(session.weights_error), icon=":material/error:")
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/check_circle: **{escape(weights.name)}** · {megabytes(weights.size)}", width="stretch")
        if st.button("Remove", key="remove-weights", type="tertiary"):
            session.keep_weights(None)
            st.rerun()
    return weights


def keep_model(session: Session, model: Model) -> None:
    """Use a model that belongs to this session alone; its folder is one of ``Session.new_model_room``."""
    if model not in session.own_models:
        session.own_models.append(model)
    session.chosen_model = model
