"""Why INT8 errs: the layers that stray furthest from FP32, and the offer to keep those in FP32."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.base.errors import AppError
from core.engines.engine import EngineName
from core.engines.registry import default_engine, describe
from core.models.model import Model
from core.optimize.calibration import DEFAULT_CALIBRATION_IMAGES, MIN_IMAGES, split
from core.optimize.layer_errors import MOST_IMAGES, LayerError, worst_first
from core.optimize.layer_job import LayerErrorsJob
from core.optimize.quantize import recipe_of
from core.optimize.run import CalibrationPlan
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from core.trust.disagreement import Flip
from pages._ui.optimize.attempts import attempt, running_attempt
from pages._ui.optimize.form import known_labels, start
from pages._ui.shell.messages import escape, images
from pages._ui.shell.session import Session
from pages._ui.shell.steps import REFRESH_SECONDS, steps_progress

_WORST = 3  # that are proposed to stay FP32
_SHOWN = 5


def why_int8_errs(session: Session, stack: ImageStack, found: Sequence[Flip]) -> None:
    """The layers' errors on these images, made when asked for; and what keeping some in FP32 would change."""
    engines = found[0].first.engine, found[0].second.engine
    if not _are_one_network(*engines):
        return
    st.subheader("Why INT8 errs")
    try:
        model = session.model
        indices = _made_by(model, stack, engines, found)
        if not indices:
            st.info(
                "These answers are of another model than the one in use. Run inference again, with *Compare* switched "
                "on, and its layers can be compared.",
                icon=":material/info:",
            )
        elif session.layer_errors is not None and session.layer_errors.status == "running":
            _running(session)
        else:
            _asked(session, model, stack, indices)
        _attempts(session)
    except AppError as error:
        st.error(escape(error), icon=":material/error:")


def _are_one_network(first: EngineName, second: EngineName) -> bool:
    """Whether INT8 is held against FP32."""
    return first == default_engine().name and describe(second).precision == "FP32"


def _made_by(
    model: Model, stack: ImageStack, engines: tuple[EngineName, EngineName], found: Sequence[Flip]
) -> list[int]:
    results = get_runtime().recognition.results(stack)
    first, second = ({one.index for one in results.by_model(engine, model.answers_key)} for engine in engines)
    return [flip.index for flip in found if flip.index in first & second]


@st.fragment(run_every=REFRESH_SECONDS)
def _running(session: Session) -> None:
    job = session.layer_errors
    if job is None or job.status != "running":
        st.rerun()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        steps_progress(job.steps, session.waiting_text if job.waiting else "")
        if st.button("Cancel", icon=":material/close:", key="cancel-layers"):
            job.cancel()


def _asked(session: Session, model: Model, stack: ImageStack, indices: Sequence[int]) -> None:
    job = session.layer_errors if session.layer_errors and session.layer_errors.model is model else None
    st.markdown(
        "INT8 rounds the values of every layer. Where it errs, some layer's values stray further from FP32's than the "
        "others': its signal-to-noise ratio is low."
    )
    if job is not None and job.status != "done":
        show = st.error if job.status == "failed" else st.info
        show(escape(job.message), icon=":material/error:" if job.status == "failed" else ":material/cancel:")
    if st.button(
        "Compare layer by layer" if job is None else "Compare again",
        icon=":material/troubleshoot:",
        key="compare-layers",
        help=f"On the images above, at most {MOST_IMAGES}. Takes some seconds.",
    ):
        turn = session.take_turn(stack.id, "heavy")
        session.layer_errors = LayerErrorsJob(model, stack, indices, get_runtime().store.folder, turn)
        session.watch(session.layer_errors)
        st.rerun()
    if job is not None and job.status == "done":
        errors = worst_first(job.errors)
        _table(errors, job.images)
        _offer(session, model, stack, errors)


def _table(errors: Sequence[LayerError], count: int) -> None:
    rows = [(error.layer, _ratio(error.own), _share(error.own), _ratio(error.carried)) for error in errors]
    columns = ["Layer", "Signal to noise", "Error it adds", "With all before it"]
    table = pd.DataFrame(rows, columns=columns).set_index("Layer")
    st.table(table.head(_SHOWN))
    with st.expander(f"All {len(errors)} layers"):
        st.table(table)
    st.caption(
        f"On {images(count)}, worst first. *Signal to noise* is of what a layer adds itself, when it is given FP32's "
        "values; the last column is of what it puts out with the errors of all layers before it. 20 dB are an error of "
        "a tenth of the values, 40 dB of a hundredth."
    )


def _offer(session: Session, model: Model, stack: ImageStack, errors: Sequence[LayerError]) -> None:
    if len(stack) < MIN_IMAGES:
        st.caption(
            f"To keep layers in FP32, INT8 is calibrated anew; that needs a stack of at least {MIN_IMAGES} images."
        )
        return
    names = [error.layer for error in errors]
    before = next((job.plan.float_layers for job in session.optimizations if job.model is model), ())
    kept = st.multiselect(
        "Layers to keep in FP32",
        names,
        list(dict.fromkeys((*before, *names[:_WORST]))),
        help="They take about four times as long each. What that costs in all, and what it brings, is measured.",
    )
    if st.button(
        "Calibrate again with these in FP32",
        icon=":material/tune:",
        disabled=not kept or session.optimizing,
        key="keep-layers",
    ):
        labels, _ = known_labels(model, stack)
        chosen = split(len(stack), min(DEFAULT_CALIBRATION_IMAGES, len(stack) // 2))
        known = labels if (labels >= 0).any() else None
        # By the recipe of the model in use, so that only the layers differ.
        start(session, CalibrationPlan(stack, chosen, known, float_layers=tuple(kept)), recipe_of(model.card))


def _attempts(session: Session) -> None:
    """The last calibration that kept layers in FP32, if any."""
    if session.optimizing:
        running_attempt(session)
        return
    made = [job for job in session.optimizations if job.plan.float_layers]
    if made:
        attempt(session, made[-1])


def _ratio(decibel: float | None) -> str:
    return "exact" if decibel is None else f"{decibel:.1f} dB"


def _share(decibel: float | None) -> str:
    return "none" if decibel is None else f"{10 ** (-decibel / 20):.1%}"
