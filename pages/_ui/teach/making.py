"""Making the model of the labels: form, progress, and what came of it."""

from __future__ import annotations

import re

import streamlit as st

from core.base.errors import AppError
from core.models.install import copy_model, pack_model
from core.models.model import Model
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from core.teach.job import TeachingJob
from core.teach.live import LiveTeaching
from pages._ui.shell.downloads import download_button
from pages._ui.shell.messages import escape, images
from pages._ui.shell.models import keep_model, teachable_models, told_apart
from pages._ui.shell.session import Session
from pages._ui.shell.steps import REFRESH_SECONDS, steps_progress, steps_table
from pages._ui.teach.state import goes_on, looker_of, watch


def making(session: Session, stack: ImageStack, live: LiveTeaching) -> None:
    """The running job, or the last one's result and the form for the next."""
    job = session.teaching_job
    if job is not None and job.status == "running":
        _running(session)
        return
    if job is not None:
        _ended(session, job)
    _form(session, stack, live)


def _form(session: Session, stack: ImageStack, live: LiveTeaching) -> None:
    may_keep = get_runtime().teaching.may_keep
    with st.container(border=True):
        left, right = st.columns(2)
        left.text_input(
            "Name of the model", session.model_title, max_chars=40, placeholder="Steel surfaces", key="model-title"
        )
        models = teachable_models(session)
        titles = told_apart(models)
        with right:
            place = st.selectbox(
                "Start from",
                range(len(models)),
                index=models.index(session.backbone) if session.backbone in models else None,
                format_func=lambda place: titles[place],
                help="The network whose eyes it gets. One that was taught before keeps its examples and classes.",
            )
        if place is not None and models[place] != session.backbone:
            _start_from(session, stack, models[place])
        further = session.backbone is not None and goes_on(session.backbone)
        learns_longer = session.backbone is None or session.backbone.has_network
        with st.container(horizontal=True, vertical_alignment="center"):
            st.toggle(
                "Train longer",
                disabled=further or not learns_longer,
                help="Shows the head every example in another light, and trains the last stage; takes minutes. "
                "Kept only if it is better on examples that it has not seen."
                + (
                    " Not for a model that was taught before: the images of its examples are not here."
                    if further
                    else ""
                    if learns_longer
                    else " Not for an imported graph: nothing of it learns but the last layer."
                ),
                key="train-longer",
            )
            if may_keep:
                st.checkbox("Keep on this computer", value=True, key="keep-model")
        st.button(
            "Make the model",
            icon=":material/school:",
            type="primary",
            disabled=not live.labels.by_image,
            on_click=lambda: _start(session, stack, live),
        )
        if session.make_error:
            st.error(escape(session.make_error), icon=":material/error:")
        st.caption(
            "Fits the head, judges it, and makes the INT8 copy, calibrated on this stack. Takes half a minute; you "
            "can go on labelling. "
            + (
                "A kept model is there in later sessions, for everybody who uses this app here."
                if may_keep
                else "The model lasts as long as this session: download it to keep it."
            )
        )


def _start_from(session: Session, stack: ImageStack, model: Model) -> None:
    try:
        watch(session, stack, model)
    except AppError as error:
        session.teach_error = str(error)
    st.rerun()


def _start(session: Session, stack: ImageStack, live: LiveTeaching) -> None:
    """Begin with what stands in the fields now, which may have changed since they were drawn."""
    state, teaching = st.session_state, get_runtime().teaching
    title = str(state["model-title"]).strip()
    session.make_error, session.model_title = "", title
    name = re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-")
    if not name:
        session.make_error = "Give the model a name with letters or digits."
        return
    backbone = live.session.looker.backbone if session.backbone is None else session.backbone
    try:
        session.teaching_job = teaching.teach(
            looker_of(session, stack, backbone),
            name,
            title=title,
            keep=teaching.may_keep and bool(state["keep-model"]),
            further=goes_on(backbone),
            longer=bool(state["train-longer"]) and backbone.has_network and not goes_on(backbone),
            threshold=live.own_threshold,
        )
    except AppError as error:
        session.make_error = str(error)
    else:
        session.watch(session.teaching_job)
        session.taught = None


@st.fragment(run_every=REFRESH_SECONDS)
def _running(session: Session) -> None:
    job = session.teaching_job
    if job is None or job.status != "running":
        st.rerun()
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{escape(job.lesson.title)}**", width="content")
            st.button("Cancel", icon=":material/close:", key="cancel-teaching", on_click=job.cancel)
        steps_progress(job.steps, session.waiting_text if job.waiting else "")
        steps_table(job.steps)


def _ended(session: Session, job: TeachingJob) -> None:
    if job.status == "failed":
        st.error(escape(job.message), icon=":material/error:")
    elif job.status == "cancelled":
        st.info(escape(job.message), icon=":material/cancel:")
    model, report = session.taught, job.report
    if model is None or report is None:
        return
    with st.container(border=True):
        share = report.accuracy_cross_validated
        st.success(
            f"**{escape(model.card.title)}** is the model of this session now: {len(report.classes):,} classes, "
            f"{images(report.images_labelled)} labelled, {share.value:.1%} right in cross-validation "
            f"({share.low:.0%} to {share.high:.0%}); INT8 names the class that FP32 names on "
            f"{report.agreement_int8_fp32:.1%} of this stack.",
            icon=":material/check_circle:",
        )
        if report.train_longer:
            st.caption(escape(report.train_longer))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link("viewer.py", label="Recognise with it in the viewer", icon=":material/photo_library:")
            download_button(
                "Download the model",
                lambda: pack_model(model),
                f"{model.card.name}.zip",
                help="Weights, INT8 copy, card, and the features of the labelled images, so that it can be taught "
                "further. Unpacked into the models folder of a server's data folder, it is installed there.",
            )
            with st.popover("Steps", icon=":material/timer:"):
                steps_table(job.steps)


def adopt_taught(session: Session) -> None:
    """Use the model that has just been made. One that is not installed is copied: it outlives its stack."""
    job = session.teaching_job
    if job is None or job.model is None or job.status != "done" or session.taught is not None:
        return
    runtime, made = get_runtime(), job.model
    if made.folder.parent == runtime.settings.installed_dir:
        session.taught = session.chosen_model = runtime.models.get(made.folder.name)
        return
    folder, share = session.new_model_room(made.folder.name.rpartition("-")[0])
    try:
        share.resize(sum(path.stat().st_size for path in made.folder.iterdir()))
    except AppError as error:
        session.make_error, session.teaching_job = str(error), None
        return
    session.taught = copy_model(made, folder, title=job.lesson.title, settings=runtime.settings)
    keep_model(session, session.taught)
