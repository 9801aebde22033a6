"""What an optimisation shows: the model in use, progress, and the attempts made with their results."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import streamlit as st

from core.engines.openvino import FP32
from core.engines.registry import engine_label
from core.models.install import pack_model
from core.models.model import Model
from core.optimize.quantize import LADDER
from core.optimize.run import OptimizationJob
from pages._ui.optimize.form import start
from pages._ui.optimize.gate_report import all_figures, figures, verdict
from pages._ui.shell.downloads import download_button
from pages._ui.shell.messages import escape, images
from pages._ui.shell.models import keep_model
from pages._ui.shell.session import Session
from pages._ui.shell.steps import REFRESH_SECONDS, steps_progress, steps_table


def model_facts(model: Model) -> None:
    """The model in use and how its INT8 copy was made."""
    card = model.card
    with st.container(border=True):
        st.markdown(f"**{escape(card.title)}** is in use: {len(card.classes):,} classes, {escape(card.architecture)}.")
        st.caption(f"Model input · {escape(card.preprocessing.words)}")
        if not model.has_int8:
            st.info(
                "It has no INT8 copy yet, so only the FP32 engines can run it: calibrate it on a stack to make one.",
                icon=":material/info:",
            )
            return
        facts = [f"{escape(name)}: {escape(value)}" for name, value in card.quantization.items()]
        facts += [
            f"{engine_label(engine)}: top-1 accuracy {score.top1:.1%} on {score.images:,} photos"
            for engine, score in card.scores.items()
        ]
        st.caption("INT8 copy · " + " · ".join(facts))
        st.caption(f"Confidence · {escape(_confidence(model))}")


def _confidence(model: Model) -> str:
    """How its confidences were calibrated, for people."""
    found = [
        f"{engine_label(engine)}: temperature {one.value:.2f}, fitted on {images(one.images)} ({one.source})"
        + (f", calibration error {one.error_before:.3f} before and {one.error_after:.3f} after" if one.judged else "")
        for engine, one in model.card.confidence.items()
    ]
    return " · ".join(found) or "not calibrated: calibrate on a stack in which the classes of some images are known"


@st.fragment(run_every=REFRESH_SECONDS)
def running_attempt(session: Session) -> None:
    """The running optimisation's steps with their times, and a button to stop it."""
    job = session.optimizations[-1]
    if job.status != "running":
        st.rerun()
        return
    steps = job.steps
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{_title(job)}** · {job.seconds:.0f} s", width="content")
            if st.button("Cancel", icon=":material/close:", key="cancel-optimization"):
                job.cancel()
                st.rerun()
        steps_progress(steps, session.waiting_text if job.waiting else "")
        steps_table(steps)


def newest_attempt(session: Session) -> None:
    """How the last optimisation of this stack ended, and what to do next."""
    job = session.optimizations[-1]
    attempt(session, job)
    if job.report is not None and not job.report.passed:
        _ladder(session, job)


def attempt(session: Session, job: OptimizationJob) -> None:
    """How an optimisation ended: its judgement, and a button to use what it made."""
    with st.container(border=True):
        st.markdown(f"**{_title(job)}** · {escape(job.source.card.title)} · {job.seconds:.1f} s")
        _attempt(session, job)


def earlier_attempts(session: Session) -> None:
    """The other optimisations of this stack, newest first."""
    ended = [job for job in session.optimizations[:-1] if job.status != "running"]
    if ended:
        st.subheader("Earlier attempts")
    for job in reversed(ended):
        outcome = f"{job.report.agreement.top1:.1%} same class" if job.report else job.status
        used = ", in use" if job.model is not None and job.model is session.chosen_model else ""
        with st.expander(f"{_title(job)}: {outcome}{used}"):
            _attempt(session, job)


def _title(job: OptimizationJob) -> str:
    kept = len(job.plan.float_layers)
    return job.recipe.title + (f", {kept} {'layer' if kept == 1 else 'layers'} in FP32" if kept else "")


def _attempt(session: Session, job: OptimizationJob) -> None:
    """What it did, how it compares, and a button to use it."""
    key = str(session.optimizations.index(job))
    if job.status == "failed":
        st.error(escape(job.message), icon=":material/error:")
    elif job.status == "cancelled":
        st.info(escape(job.message), icon=":material/cancel:")
    if job.report is not None and job.model is not None:
        verdict(job.report, job.before)
        figures(job.report, job.before)
        if job.speed is not None:
            st.markdown(f"**Speed**: {escape(job.speed.sentence)}")
            st.caption(f"In FP32: {escape('; '.join(job.plan.float_layers))}.")
    with st.container(horizontal=True, vertical_alignment="center"):
        if job.report is not None and job.model is not None:
            _choice(session, job, job.model, key)
            with st.popover("All figures", icon=":material/table_chart:"):
                all_figures(job.report, job.before)
        with st.popover("Steps", icon=":material/timer:"):
            steps_table(job.steps)


def _choice(session: Session, job: OptimizationJob, model: Model, key: str) -> None:
    if session.chosen_model is model:
        st.markdown(":material/check_circle: **In use**", width="content")
        if st.button("Go back to the model before", icon=":material/undo:", key=f"back-{key}"):
            session.chosen_model = job.in_use
            st.rerun()
    else:
        worse = _is_worse(job)
        if job in session.declined:
            st.markdown(":material/check_circle: **The model before was kept**", width="content")
        elif worse and st.button("Keep the model in use", icon=":material/undo:", key=f"keep-{key}", type="primary"):
            session.declined.append(job)
            st.rerun()
        good = job.report is not None and job.report.passed and not worse
        if st.button(
            "Use this model all the same" if worse else "Use this model",
            icon=":material/check:",
            key=f"use-{key}",
            type="primary" if good else "secondary",
        ):
            keep_model(session, model)
            st.rerun()
    download_button(
        "Download this model",
        lambda: pack_model(model),
        f"{job.source.card.name}-calibrated.zip",
        key=f"download-{key}",
        help="The model's folder as a ZIP. Unpacked into the models folder of a server's data folder, it is "
        "installed there for everybody.",
    )


def _is_worse(job: OptimizationJob) -> bool:
    """Whether the model in use, judged on the same images, agreed more with FP32."""
    return job.report is not None and job.before is not None and job.report.is_worse_than(job.before)


def _ladder(session: Session, newest: OptimizationJob) -> None:
    """What the field does where INT8 strays too far, in its order, each with its result; FP32 stays at the end."""
    results = {
        job.recipe: job.report
        for job in session.optimizations
        if job.report is not None and job.source is newest.source
    }
    with st.container(border=True):
        st.markdown("**What to try, in this order**")
        known = newest.report.fp32 if newest.report else None
        rows = []
        for recipe in LADDER:
            report = results.get(recipe)
            if report is None:
                rows.append((recipe.title, "not tried", "", ""))
                continue
            same = report.agreement
            accuracy = f"{report.int8.top1:.1%}" if report.int8 else ""
            rows.append((recipe.title, f"{same.top1:.1%} of {same.images:,}", f"{same.mean_kl:.4f}", accuracy))
        rows.append(("Keep FP32: slower, nothing lost", "100%", "0", f"{known.top1:.1%}" if known else ""))
        table = pd.DataFrame(rows, columns=["Recipe", "Same class as FP32", "Mean KL divergence", "Top-1 accuracy"])
        # Without known classes there is no accuracy to speak of.
        st.table((table if known else table.drop(columns="Top-1 accuracy")).set_index("Recipe"))
        begin = LADDER.index(newest.recipe) + 1 if newest.recipe in LADDER else 0
        untried = [recipe for recipe in LADDER[begin:] if recipe not in results]
        if untried:
            kind: Literal["primary", "secondary"] = "secondary" if _is_worse(newest) else "primary"
            if st.button(f"Try next: {untried[0].title}", icon=":material/arrow_forward:", type=kind):
                start(session, newest.plan, untried[0])
        elif st.button(f"Keep FP32: recognise with {FP32.label}", icon=":material/shield:", type="primary"):
            session.engine = FP32.name
            st.toast(f"{FP32.label} is now the engine of this session.")
            st.rerun()
