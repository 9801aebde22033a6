"""Starting an optimisation: how many images and which, by which recipe, and their classes where known."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.base.errors import AppError
from core.models.model import Model
from core.optimize.calibration import (
    ADVISED_CALIBRATION_IMAGES,
    DEFAULT_CALIBRATION_IMAGES,
    MAX_CALIBRATION_IMAGES,
    MIN_IMAGES,
    labels_from_csv,
    labels_from_folders,
    labels_from_names,
    split,
)
from core.optimize.quantize import RECIPES, Recipe
from core.optimize.run import CalibrationPlan, OptimizationJob
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from pages._ui.shell.links import absolute, stack_links
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session

_MAX_LABELS_MIB = 16  # 20,000 long paths and their classes


def calibration_form(session: Session, stack: ImageStack) -> None:
    """How many images, which recipe, which labels; the button starts the optimisation."""
    if len(stack) < MIN_IMAGES:
        st.info(
            f"Calibration needs a stack of at least {MIN_IMAGES} images; this one has {len(stack)}.",
            icon=":material/info:",
        )
        return
    with st.container(border=True):
        left, right = st.columns(2)
        with left:
            wanted = _image_count(stack)
        recipe = right.selectbox(
            "Recipe",
            list(RECIPES),
            format_func=lambda name: RECIPES[name].title,
            help="Begin with the first; the others are there for when INT8 strays too far from FP32.",
        )
        chosen = split(len(stack), wanted)
        labels = _labels(session.model, stack)
        title = f"Which images: {len(chosen.calibration):,} calibrate, {len(chosen.evaluation):,} others judge"
        with st.expander(title, icon=":material/photo_library:"):
            calibrate, judge = st.tabs(["Calibrate", "Judge"])
            with calibrate:
                _thumbnails(stack, chosen.calibration, "Images that calibrate")
            with judge:
                _thumbnails(stack, chosen.evaluation, "Images that judge")
        with st.container(horizontal=True, vertical_alignment="center"):
            # After an attempt, what to do next is one of the buttons beside its result.
            kind: Literal["primary", "secondary"] = "secondary" if session.optimizations else "primary"
            if st.button("Calibrate on this stack", type=kind, icon=":material/tune:"):
                start(session, CalibrationPlan(stack, chosen, labels), RECIPES[recipe])
            few = len(chosen.calibration) < ADVISED_CALIBRATION_IMAGES
            st.caption(
                f"Fewer than {ADVISED_CALIBRATION_IMAGES} images calibrate roughly; a larger stack does better."
                if few
                else "Takes 10 to 40 seconds. The model in use stays until you choose the new one.",
                width="content",
            )


def start(session: Session, plan: CalibrationPlan, recipe: Recipe) -> None:
    """Begin an optimisation of the session's model, as soon as its turn comes; its files go with the session."""
    model = _source(session)
    folder, share = session.new_model_room(model.card.name)
    job = OptimizationJob(
        model,
        plan,
        recipe,
        folder,
        get_runtime().settings,
        in_use=session.model,
        take_turn=session.take_turn(plan.stack.id, "heavy"),
        reserve=share.resize,
    )
    session.watch(job)
    session.optimizations.append(job)
    st.rerun()


def _source(session: Session) -> Model:
    """The model to optimise: the original, also while one of its optimised copies is in use."""
    for job in session.optimizations:
        if job.model is session.chosen_model and job.model is not None:
            return job.source
    return session.model


def known_labels(model: Model, stack: ImageStack) -> tuple[NDArray[np.int64], bool]:
    """Class indices ``[N]`` of the stack's images, -1 where unknown, and whether any was labelled here.

    Labels of the Teach page come before names of folders.
    """
    names = [entry.name for entry in stack.entries]
    labelled = labels_from_names(get_runtime().teaching.labels(stack).by_image, len(names), model.card.classes)
    found = np.where(labelled < 0, labels_from_folders(names, model.card.classes), labelled)
    return found, bool((labelled >= 0).any())


def _image_count(stack: ImageStack) -> int:
    most = min(MAX_CALIBRATION_IMAGES, len(stack) // 2)
    return int(
        st.number_input(
            f"Calibration images, at most {most:,}",
            MIN_IMAGES // 2,
            most,
            min(DEFAULT_CALIBRATION_IMAGES, most),
            help="Taken evenly over the stack. The others judge the result, so at most half of the stack can be taken.",
        )
    )


def _labels(model: Model, stack: ImageStack) -> NDArray[np.int64] | None:
    """Known classes of the stack's images: as labelled here, by its folders, or from a file the person adds."""
    names = [entry.name for entry in stack.entries]
    found, by_hand = known_labels(model, stack)
    known = int((found >= 0).sum())
    origin = "as labelled on the Teach page" if by_hand else "by their folders"
    title = f"Known classes: {known:,} of {len(names):,} images, {origin}" if known else "Known classes: none"
    with st.expander(title, icon=":material/sell:"):
        st.caption(
            "Where classes are known, the accuracy of both models is measured too, and their confidences are "
            "calibrated. They come from labels of the Teach page, from folders named like the classes, or from a CSV "
            "file with the columns file name and class."
        )
        uploaded = st.file_uploader("Labels CSV", type="csv", max_upload_size=_MAX_LABELS_MIB, key="labels-csv")
        if uploaded is None:
            return found if known else None
        try:
            read = labels_from_csv(uploaded.getvalue(), names, model.card.classes)
        except AppError as error:
            st.error(escape(error), icon=":material/error:")
            return None
        st.caption(f"The file gives {int((read >= 0).sum()):,} of {len(names):,} images a class.")
        return read


def _thumbnails(stack: ImageStack, indices: Sequence[int], label: str) -> None:
    """All of them, small, in a box that scrolls; the browser fetches those in sight."""
    address = absolute(stack_links(stack).thumbnail_url)
    images = "".join(
        f'<img loading="lazy" width="56" height="56" style="object-fit:cover;border-radius:4px" '
        f'src="{address.format(index=index)}" alt="{name}" title="{index + 1}: {name}">'
        for index in indices
        for name in [html.escape(stack.entries[index].name)]
    )
    st.html(
        f'<div tabindex="0" role="group" aria-label="{label}" '
        f'style="display:flex;flex-wrap:wrap;gap:4px;max-height:15rem;overflow-y:auto">{images}</div>'
    )
