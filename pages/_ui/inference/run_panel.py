"""Starting a recognition, watching it, and stopping it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.base.errors import AppError
from core.engines.engine import EngineName
from core.engines.registry import default_engine, engine_label, engine_names, reference_engine
from core.models.model import Model
from core.recognition.jobs import JobState, RecognitionJob
from core.recognition.service import Order
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from pages._ui.shell.messages import escape, images
from pages._ui.shell.session import Session
from pages._ui.shell.steps import REFRESH_SECONDS

FEW_CLASSES = 50  # up to here a list of the classes helps to understand a surprising answer
_ENGINE = "engine-choice"  # key of the field
_DOING = {"decoding": "Decoding images", "ranging": "Finding the range of the stack"}
_NEAREST = "Whatever else an image shows gets the nearest of these: this model cannot tell."


def run_panel(session: Session, stack: ImageStack, *, key: str) -> None:
    """Buttons to recognise the selected, all or the current image; while that runs, progress and cancel instead."""
    with st.container(border=True):
        if is_running(session):
            run_progress(session)
        elif run_notes(session):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown("**Run inference**", width="content")
                run_buttons(session, stack, key=key)
            run_outcome(session)
            if session.job is not None and session.job.state.phase == "done":
                meaning_of_answers(session.job.order.model)


def is_running(session: Session) -> bool:
    """Whether progress is drawn: what else is drawn so is drawn anew once it has ended."""
    return session.drawn_working or session.working


def run_notes(session: Session) -> bool:
    """Why nothing can be recognised, or what the model lacks for the chosen engine; whether buttons make sense."""
    try:
        missing = session.model.missing(session.engine)
    except AppError as error:  # the default model is missing or damaged
        st.error(escape(str(error)), icon=":material/error:")
        return False
    if missing:
        st.info(escape(missing), icon=":material/tune:")
    return True


def run_buttons(session: Session, stack: ImageStack, *, key: str) -> None:
    """One for the selected, for all and for the current image, and the switch that compares engines."""
    reference = session.model.reference
    selected = session.view.selected
    # Before the buttons: who switches it and presses one of them in one go means both.
    session.compare = bool(st.session_state.get(f"{key}-compare", session.compare))
    choices: list[tuple[str, str, Sequence[int]]] = [
        (f"Selected ({len(selected):,})", ":material/check_box:", selected),
        (f"All ({len(stack):,})", ":material/select_all:", range(len(stack))),
        (f"Image {session.view.current + 1:,}", ":material/image:", [session.view.current]),
    ]
    best = 0 if selected else 1
    for number, (label, icon, indices) in enumerate(choices):
        if st.button(
            label,
            icon=icon,
            type="primary" if number == best else "secondary",
            disabled=not indices,
            key=f"{key}-run-{number}",
        ):
            start_run(session, stack, indices)
            st.rerun()
    session.compare = st.toggle(
        f"Compare with {reference.library if reference == reference_engine() else reference.label}",
        value=session.compare,
        key=f"{key}-compare",
        help=f"Runs the same images through {reference.label} too: answers, times, and where they differ.",
    )


def engine_options(session: Session) -> None:
    """Engine and batch size."""
    settings = get_runtime().settings

    def chosen() -> None:
        session.engine = st.session_state[_ENGINE]

    if st.session_state.get(_ENGINE) != session.engine:
        st.session_state[_ENGINE] = session.engine
    st.selectbox(
        "Engine",
        engine_names(),
        format_func=engine_label,
        help=f"{default_engine().label} is the fast one. The others are there to compare with.",
        disabled=session.working,
        key=_ENGINE,
        on_change=chosen,
    )
    session.batch_size = st.number_input(
        "Batch size",
        min_value=1,
        max_value=settings.max_batch_size,
        value=session.batch_size,
        placeholder="Automatic",
        help="Images per inference call. Left empty, the fastest size is measured on this machine once.",
        disabled=session.working,
    )


def start_run(session: Session, stack: ImageStack, indices: Sequence[int]) -> None:
    """Recognise these images in the background, by the session's model and engines.

    Raises:
        AppError: there is no model.
    """
    runtime = get_runtime()
    engines = [session.engine]
    if session.compare and (reference := session.model.reference.name) not in engines:
        engines.append(reference)
    order = Order(stack, indices, session.model, tuple(engines), session.client, session.batch_size or 0)
    session.job = RecognitionJob(order, runtime.recognition)
    session.watch(session.job)
    session.job.wait(REFRESH_SECONDS)  # a short run is over by then, and its progress bar would only flicker


@st.fragment(run_every=REFRESH_SECONDS)
def run_progress(session: Session) -> None:
    """How far the recognition is, and a button that ends it."""
    job = session.job
    state = None if job is None else job.state  # once: it may end meanwhile
    if job is None or state is None or state.finished:
        st.rerun()
        return
    with st.container(key="run-progress", horizontal=True, vertical_alignment="center"):
        st.progress(state.done / state.total, text=_progress_text(state))
        if st.button("Cancel", icon=":material/close:", key="cancel-run"):
            job.cancel()


def _progress_text(state: JobState) -> str:
    engine = engine_label(state.engine)
    if state.phase == "waiting":
        return "Waiting for the recognitions of other people…"
    if state.phase == "loading":
        return f"Preparing {engine}…"
    doing = f"Recognising with {engine}" if state.phase == "recognizing" else _DOING[state.phase]
    text = f"{doing}: {state.done:,} of {state.total:,}"
    if state.seconds_left is None:
        return text
    return f"{text} · {state.images_per_second:,.0f} images/s · {max(1, round(state.seconds_left))} s left"


def run_outcome(session: Session) -> None:
    """One line about the last run."""
    job = session.job
    if job is None:
        return
    state = job.state
    if state.phase == "failed":
        st.error(escape(state.message), icon=":material/error:")
    elif state.phase == "cancelled":
        st.caption(f":material/cancel: {escape(state.message)}")
    else:
        st.caption(" · ".join(_run_line(job, engine) for engine in job.order.engines))


def meaning_of_answers(model: Model) -> None:
    """Which classes a model knows, where they are few, and what it says of everything else."""
    known = model.card.classes
    if len(known) <= FEW_CLASSES:
        told = model.card.known is not None
        st.caption(
            f"This model knows {len(known)} classes: {escape(', '.join(known))}. "
            + ("Images unlike what it was taught on are called “none of these”." if told else _NEAREST)
        )


def _run_line(job: RecognitionJob, engine: EngineName) -> str:
    """``OpenVINO INT8: 600 images in 1.92 s (313 images/s)``."""
    timing = job.recognitions[engine].timing
    return (
        f"{engine_label(engine)}: {images(timing.images)} in {timing.total_seconds:.2f} s "
        f"({timing.images_per_second:,.0f} images/s)"
    )
