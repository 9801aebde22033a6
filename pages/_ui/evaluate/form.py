"""What to evaluate, and where the classes are known from; the evaluation while it runs."""

from __future__ import annotations

import streamlit as st

from core.base.errors import AppError
from core.base.settings import MIB
from core.engines.engine import EngineName
from core.engines.registry import engine_label, engine_names
from core.models.model import Model
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from core.trust.evaluation.evaluation import Subject
from core.trust.evaluation.job import MAX_SUBJECTS, EvaluationPlan, EvaluationProgress
from core.trust.evaluation.known import SOURCE_TITLES, KnownClasses, Source, known_from_csv, known_from_folders
from core.trust.label_files import MAX_BYTES
from pages._ui.shell.messages import escape, images
from pages._ui.shell.models import teachable_models, told_apart
from pages._ui.shell.session import Session
from pages._ui.shell.steps import REFRESH_SECONDS

_CSV_MIB = min(MAX_BYTES // MIB, 4)  # Streamlit's own field holds it in memory


def form(session: Session, stack: ImageStack) -> None:
    """Source of labels, models, engines, and the button, or how far the evaluation is; why the last one failed."""
    with st.container(border=True):
        source = st.radio(
            "Classes are known from",
            list(SOURCE_TITLES),
            format_func=lambda name: SOURCE_TITLES[name][0].upper() + SOURCE_TITLES[name][1:],
            horizontal=True,
            disabled=session.evaluating,
            key="evaluate-source",
        )
        given = None
        if source == "csv":
            given = st.file_uploader(
                "Labels as CSV",
                type=["csv", "txt"],
                max_upload_size=_CSV_MIB,
                help="Lines of file name and class. A file goes by its path in the stack, or by its last part where "
                "only one image has that.",
                key="evaluate-csv",
            )
        if source == "labels":
            st.caption(f"{images(len(get_runtime().teaching.labels(stack).by_image))} of this stack have a label.")
        left, right = st.columns(2)
        models = _models(session)
        titles = told_apart(models)
        with left:
            places = st.multiselect(
                "Models",
                range(len(models)),
                [models.index(_current(session, models))] if models else [],
                format_func=lambda place: titles[place],
                disabled=session.evaluating,
                key=f"evaluate-models-{len(models)}",
            )
        with right:
            engines = st.multiselect(
                "Engines",
                engine_names(),
                [session.engine],
                format_func=engine_label,
                disabled=session.evaluating,
                key="evaluate-engines",
            )
        if session.evaluating:
            _progress(session)
            return
        if st.button("Evaluate", icon=":material/fact_check:", type="primary", key="evaluate-start"):
            data = given.getvalue() if given is not None else None
            _start(session, stack, source, data, [models[place] for place in places], engines)
        _outcome(session)
        st.caption(
            f"Up to {MAX_SUBJECTS} pairs of model and engine are compared on the same images. Answers that the stack "
            "has are used; only what is missing is recognised."
        )


@st.fragment(run_every=REFRESH_SECONDS)
def _progress(session: Session) -> None:
    """How far it is, and a button to stop it."""
    job = session.evaluation
    if job is None or job.status != "running":
        st.rerun()
        return
    state = job.progress
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(state.done / state.total if state.total else 0.0, text=_text(state))
        if st.button("Cancel", icon=":material/close:", key="cancel-evaluation"):
            job.cancel()


def _text(state: EvaluationProgress) -> str:
    label = escape(state.label)
    if state.phase == "waiting":
        return "Waiting for the recognitions of other people…"
    if state.phase == "loading":
        return f"Preparing {label}…"
    if state.phase == "judging":
        return "Judging…"
    return f"{label}: {state.done:,} of {state.total:,} answers"


def _start(
    session: Session,
    stack: ImageStack,
    source: Source,
    data: bytes | None,
    models: list[Model],
    engines: list[EngineName],
) -> None:
    session.evaluation_error = ""
    try:
        known = _known(stack, source, data)
        subjects = tuple(Subject(model, engine) for model in models for engine in engines)
        plan = EvaluationPlan(stack, known, subjects, session.client, session.batch_size or 0)
        session.evaluation = get_runtime().evaluation.evaluate(plan)
        session.evaluation_cell = None
    except AppError as error:
        session.evaluation_error = str(error)
    else:
        session.watch(session.evaluation)
        session.evaluation.wait(REFRESH_SECONDS)  # a short run is over by then, and its progress would only flicker
    st.rerun()


def _known(stack: ImageStack, source: Source, data: bytes | None) -> KnownClasses:
    names = [entry.name for entry in stack.entries]
    if source == "folders":
        return known_from_folders(names)
    if source == "csv":
        return known_from_csv(data or b"", names)
    return KnownClasses(get_runtime().teaching.labels(stack).by_image, "labels")


def _outcome(session: Session) -> None:
    job = session.evaluation
    if session.evaluation_error:
        st.error(escape(session.evaluation_error), icon=":material/error:")
    elif job is not None and job.status == "failed":
        st.error(escape(job.message), icon=":material/error:")
    elif job is not None and job.status == "cancelled":
        st.info(escape(job.message), icon=":material/cancel:")


def _models(session: Session) -> list[Model]:
    models = teachable_models(session)
    chosen = session.chosen_model
    return [*models, chosen] if chosen is not None and chosen not in models else models


def _current(session: Session, models: list[Model]) -> Model:
    chosen = session.chosen_model
    return chosen if chosen in models and chosen is not None else models[0]
