"""Which model answers, what it knows, and the other one by one click: ImageNet's, which is fetched by itself."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from core.base.errors import ModelError
from core.models.model import Model
from core.optimize.imagenet_offer import ImageNetJob
from core.runtime import get_runtime
from pages._ui.shell.class_search import class_search
from pages._ui.shell.messages import escape, waiting
from pages._ui.shell.session import Session

_REFRESH_SECONDS = 1.0


def model_in_use(session: Session) -> None:
    """The model of this session, and ImageNet's beside it."""
    model: Model | None = None
    with suppress(ModelError):  # the choice of a model says what is wrong
        model = session.model
    with st.container(key="model-in-use", horizontal=True, vertical_alignment="center"):
        if model is not None:
            count = len(model.card.classes)
            st.markdown(f"**{escape(model.title)}** is in use.", width="content")
            with st.popover(f"The {count:,} classes it knows", icon=":material/search:"):
                class_search(model.card.classes, key="classes-in-use")
        get_imagenet(session)


def get_imagenet(session: Session) -> None:
    """ImageNet's model by one button; while it comes, how far it is."""
    offer = get_runtime().imagenet
    running = offer.running
    if running is not None and running.phase == "stack":  # nothing moves until a stack is opened
        st.caption(_words(running), width="content")
        return
    if running is not None:
        _progress(session)
        return
    installed, job = offer.model, offer.job
    if installed is None:
        if job is not None and job is session.asked_imagenet and job.message:
            kind = st.info if job.status == "cancelled" else st.error
            kind(escape(job.message), icon=":material/info:")
        if st.button("Get ImageNet", icon=":material/download:", help="1,000 classes; a download of 45 MB"):
            session.asked_imagenet = offer.begin(session.client)
            st.rerun()
    elif session.chosen_model is installed or get_runtime().models.default_name == installed.card.name:
        _back(session, installed)
    elif st.button("Use ImageNet", icon=":material/check:", help="1,000 everyday things, animals and plants"):
        session.chosen_model = installed
        st.rerun()


def announce_imagenet(session: Session) -> None:
    """A word, once for a session, when the model has come while something else was looked at."""
    job = get_runtime().imagenet.job
    if job is None or job.status == "running" or session.announced is job:
        return
    session.announced = job
    model = get_runtime().imagenet.model
    if job is not session.asked_imagenet and model is not None and model.has_int8:
        st.toast("ImageNet's 1,000 classes are ready: choose it where the model is chosen.", icon=":material/check:")


def _back(session: Session, installed: Model) -> None:
    default = None
    with suppress(ModelError):
        default = get_runtime().models.get()
    if default is None or default is installed:
        st.markdown(":material/check_circle: **In use**", width="content")
    elif st.button(f"Use {escape(default.title.partition(':')[0])}", icon=":material/undo:"):
        session.chosen_model = None
        st.rerun()


@st.fragment(run_every=_REFRESH_SECONDS)
def _progress(session: Session) -> None:
    offer = get_runtime().imagenet
    job = offer.running
    if job is None or job.phase == "stack":
        st.rerun()
        return
    share = min(job.done / job.total, 1.0) if job.phase == "download" and job.total else 0.0
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(share, text=_words(job), width=340)
        mine = get_runtime().teaching.may_keep or job is session.asked_imagenet
        if mine and st.button("Cancel", icon=":material/close:", key="cancel-imagenet"):
            offer.cancel()
            job.wait(_REFRESH_SECONDS)
            st.rerun()


def _words(job: ImageNetJob) -> str:
    match job.phase:
        case "waiting":
            return f"ImageNet: {waiting(0)}"
        case "download":
            of_all = f" of {job.total / 1e6:.1f} MB" if job.total else ""
            return f"ImageNet, 1,000 classes: {job.done / 1e6:.1f} MB{of_all}"
        case "stack":
            return "ImageNet is here. Its fast form is made on the first stack you open."
        case "int8":
            return "ImageNet is here. Its fast form is being made."
