"""The optimisation page's parts: the model in use, the calibration form, progress, and the attempts made."""

from __future__ import annotations

import shutil
import weakref
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from core.errors import AppError
from core.models import Model
from core.optimize.calibration import (
    ADVISED_CALIBRATION_IMAGES,
    DEFAULT_CALIBRATION_IMAGES,
    MAX_CALIBRATION_IMAGES,
    MIN_IMAGES,
    Split,
    labels_from_csv,
    labels_from_folders,
    split,
)
from core.optimize.gate import GATE_AGREEMENT, GateReport
from core.optimize.graph import LADDER, RECIPES, Recipe
from core.optimize.run import OptimizationJob, Plan
from core.runtime import get_runtime
from core.stack import ImageStack
from pages._ui.links import absolute, stack_links
from pages._ui.models import keep_model
from pages._ui.session import Session

_REFRESH_SECONDS = 0.5
_SHOWN_IMAGES = 400


def model_facts(model: Model) -> None:
    """The model in use and how its INT8 copy was made."""
    card = model.card
    with st.container(border=True):
        st.markdown(f"In use: **{card.title}** · {len(card.classes):,} classes · {card.architecture}")
        how = " · ".join(f"{name}: {value}" for name, value in card.quantization.items())
        st.caption(how if model.has_int8 else "It has no INT8 copy yet: calibrate it on a stack to make one.")


def calibration_form(session: Session, stack: ImageStack) -> None:
    """How many images, which recipe, which labels; starts the optimisation."""
    if len(stack) < MIN_IMAGES:
        st.info(f"Calibration needs a stack of at least {MIN_IMAGES} images; this one has {len(stack)}.")
        return
    left, right = st.columns(2)
    most = min(MAX_CALIBRATION_IMAGES, len(stack) // 2)
    wanted = left.slider(
        "Calibration images",
        MIN_IMAGES // 2,
        max(most, MIN_IMAGES // 2 + 1),
        min(DEFAULT_CALIBRATION_IMAGES, most),
        help="Taken evenly over the stack. The others judge the result, so at most half of the stack can be taken.",
    )
    recipe = right.selectbox(
        "Recipe",
        list(RECIPES),
        format_func=lambda name: RECIPES[name].title,
        help="Begin with the first; the others are there for when INT8 strays too far from FP32.",
    )
    chosen = split(len(stack), wanted)
    if len(chosen.calibration) < ADVISED_CALIBRATION_IMAGES:
        st.caption(f"Fewer than {ADVISED_CALIBRATION_IMAGES} images calibrate roughly; a larger stack does better.")
    labels = _labels(session.model, stack)
    _shown_split(stack, chosen)
    if st.button("Calibrate on this stack", type="primary", icon=":material/tune:"):
        _start(session, Plan(stack, chosen, labels), RECIPES[recipe])


@st.fragment(run_every=_REFRESH_SECONDS)
def progress(session: Session) -> None:
    """The running optimisation's steps with their times, and a button to stop it."""
    job = session.optimizations[-1]
    if job.status != "running":
        st.rerun()
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{job.recipe.title}**", width="content")
            if st.button("Cancel", icon=":material/close:", key="cancel-optimization"):
                job.cancel()
        _steps_table(job)


def attempts(session: Session) -> None:
    """Every optimisation of this stack, newest first: what it did, how it compares, and a button to use it."""
    for number, job in reversed(list(enumerate(session.optimizations))):
        if job.status == "running":
            continue
        with st.container(border=True):
            st.markdown(f"**Attempt {number + 1}: {job.recipe.title}**")
            if job.status == "failed":
                st.error(job.message, icon=":material/error:")
            elif job.status == "cancelled":
                st.info(job.message, icon=":material/cancel:")
            if job.report is not None and job.model is not None:
                _verdict(job.report)
                _comparison(job.report, job.before)
                _choice(session, job, job.model, number)
                if not job.report.passed and job is session.optimizations[-1]:
                    _next_recipe(session, job)
            with st.expander("Steps", icon=":material/timer:"):
                _steps_table(job)


def _labels(model: Model, stack: ImageStack) -> NDArray[np.int64] | None:
    """Known classes of the stack's images: from its folders, or from a file the person adds."""
    names = [entry.name for entry in stack.entries]
    with st.expander("Known classes (optional)", icon=":material/sell:"):
        st.caption(
            "With known classes the accuracy of both models is measured too. They come from folders named like the "
            "classes, or from a CSV of file name and class."
        )
        uploaded = st.file_uploader("Labels CSV", type="csv", key="labels-csv")
        try:
            if uploaded is not None:
                labels = labels_from_csv(uploaded.getvalue(), names, model.card.classes)
            else:
                labels = labels_from_folders(names, model.card.classes)
        except AppError as error:
            st.error(str(error), icon=":material/error:")
            return None
        known = int((labels >= 0).sum())
        st.caption(f"Known for {known:,} of {len(names):,} images.")
    return labels if known else None


def _shown_split(stack: ImageStack, chosen: Split) -> None:
    title = f"{len(chosen.calibration):,} images calibrate, {len(chosen.evaluation):,} others judge"
    with st.expander(title, icon=":material/photo_library:"):
        thumbnails = absolute(stack_links(stack).thumbnail_url)
        roles = dict.fromkeys(chosen.calibration, "calibrates") | dict.fromkeys(chosen.evaluation, "judges")
        shown = sorted(roles)[:_SHOWN_IMAGES]
        frame = pd.DataFrame(
            {
                "Image": [thumbnails.format(index=index) for index in shown],
                "Role": [roles[index] for index in shown],
                "File": [stack.entries[index].name for index in shown],
            }
        )
        st.dataframe(
            frame, column_config={"Image": st.column_config.ImageColumn(width=64)}, hide_index=True, height=300
        )


def _start(session: Session, plan: Plan, recipe: Recipe) -> None:
    runtime = get_runtime()
    folder = runtime.new_model_folder(_source(session).card.name)
    weakref.finalize(session, shutil.rmtree, folder, ignore_errors=True)
    session.optimizations.append(OptimizationJob(_source(session), plan, recipe, folder, runtime.settings))
    st.rerun()


def _source(session: Session) -> Model:
    """The model to optimise: the original, also while one of its optimised copies is in use."""
    for job in session.optimizations:
        if job.model is session.chosen_model and job.model is not None:
            return job.source
    return session.model


def _steps_table(job: OptimizationJob) -> None:
    rows: list[dict[str, Any]] = [
        {"Step": step.title, "Seconds": round(step.seconds, 2), "Result": step.detail, "Done": step.status == "done"}
        for step in job.steps
    ]
    st.dataframe(pd.DataFrame(rows, columns=["Done", "Step", "Seconds", "Result"]), hide_index=True, width="stretch")


def _verdict(report: GateReport) -> None:
    same = report.agreement
    text = (
        f"INT8 names the same class as FP32 on {same.top1:.1%} of {same.images:,} images that were not used for "
        f"calibration (95% interval {same.low:.1%} to {same.high:.1%})."
    )
    if report.passed:
        st.success(text, icon=":material/verified:")
    else:
        st.warning(f"{text} {GATE_AGREEMENT:.0%} is asked for.", icon=":material/warning:")


def _comparison(after: GateReport, before: GateReport | None) -> None:
    """Before and after as a table; accuracy only where classes are known."""
    reports = {"Before": before, "After": after} if before else {"After": after}
    rows: dict[str, list[str]] = {
        "Same class as FP32": [f"{one.agreement.top1:.2%}" for one in reports.values() if one],
        "Five best classes in common": [f"{one.agreement.top5:.2%}" for one in reports.values() if one],
        "Mean change of confidence": [f"{one.agreement.mean_drift:.4f}" for one in reports.values() if one],
        "Largest change of confidence": [f"{one.agreement.max_drift:.4f}" for one in reports.values() if one],
        "Mean KL divergence (nats)": [f"{one.agreement.mean_kl:.5f}" for one in reports.values() if one],
    }
    if after.fp32 and after.int8:
        known = [one for one in reports.values() if one and one.fp32 and one.int8]
        rows["Top-1 accuracy, FP32"] = [f"{one.fp32.top1:.2%}" for one in known if one.fp32]
        rows["Top-1 accuracy, INT8"] = [f"{one.int8.top1:.2%}" for one in known if one.int8]
        rows["Top-5 accuracy, INT8"] = [f"{one.int8.top5:.2%}" for one in known if one.int8]
    st.table(pd.DataFrame(rows, index=pd.Index(list(reports), name="INT8 model")).T)


def _choice(session: Session, job: OptimizationJob, model: Model, number: int) -> None:
    if session.chosen_model is model:
        st.markdown(":material/check: In use")
        if st.button("Go back to the model before", icon=":material/undo:", key=f"back-{number}"):
            session.chosen_model = job.source
            st.rerun()
    elif st.button("Use this model", icon=":material/check:", key=f"use-{number}"):
        keep_model(session, model)
        st.rerun()


def _next_recipe(session: Session, job: OptimizationJob) -> None:
    """What the field does next, in its order; after the last, FP32 stays."""
    place = LADDER.index(job.recipe) + 1
    if place < len(LADDER):
        recipe = LADDER[place]
        if st.button(f"Try next: {recipe.title}", icon=":material/arrow_forward:", type="primary"):
            _start(session, job.plan, recipe)
    elif st.button("Keep FP32: recognise with OpenVINO FP32", icon=":material/shield:", type="primary"):
        session.engine = "openvino-fp32"
        st.toast("OpenVINO FP32 is now the engine of this session.")
        st.rerun()
