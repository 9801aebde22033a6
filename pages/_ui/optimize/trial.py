"""A trial of a model that was just added: what it says of a few images, so that one sees whether it makes sense."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.engines.openvino import FP32
from core.models.model import Model
from core.recognition.jobs import RecognitionJob
from core.recognition.results import Prediction
from core.recognition.service import Order
from core.runtime import get_runtime
from core.stacks.stack import ImageStack
from pages._ui.shell.links import absolute, stack_links
from pages._ui.shell.messages import escape
from pages._ui.shell.session import Session
from pages._ui.shell.steps import REFRESH_SECONDS

_IMAGES = 8
_CLASSES = 3


def begin_trial(session: Session, model: Model) -> None:
    """Have the model look at some images of the open stack, evenly over it; nothing without a stack."""
    stack = session.stack
    if stack is None:
        return
    count = min(_IMAGES, len(stack))
    indices = sorted({place * len(stack) // count for place in range(count)})
    session.trial = RecognitionJob(
        Order(stack, indices, model, (FP32.name,), session.client), get_runtime().recognition
    )
    session.watch(session.trial)


def trial(session: Session) -> None:
    """The trial, until it is put away; it goes with its model and its stack."""
    job = session.trial
    if job is None or job.order.model not in session.own_models or job.order.stack is not session.stack:
        return
    with st.container(border=True):
        st.markdown(f"**Does it make sense?** {escape(job.order.model.title)} on images of your stack, in FP32")
        if job.status == "running":
            _wait(session)
            return
        if job.status != "done":
            st.error(escape(job.message), icon=":material/error:")
        for run in job.recognitions.values():
            st.dataframe(_table(job.order.stack, run.predictions), hide_index=True, column_config=_COLUMNS)
        st.caption(
            "Where classes are wrong throughout, the labels are in another order; where all are alike or confidences "
            "are low, the way images become its inputs is another. Delete it under *My models*, and add it again."
        )
        if st.button("Put away", icon=":material/close:", key="trial-done"):
            session.trial = None
            st.rerun()


@st.fragment(run_every=REFRESH_SECONDS)
def _wait(session: Session) -> None:
    job = session.trial
    if job is None or job.status != "running":
        st.rerun()
        return
    st.progress(job.state.done / max(job.state.total, 1), text="Looking at a few images…")


_COLUMNS = {"": st.column_config.ImageColumn(width="small")}


def _table(stack: ImageStack, predictions: tuple[Prediction, ...]) -> pd.DataFrame:
    address = absolute(stack_links(stack).thumbnail_url)
    rows = []
    for one in predictions:
        found = [f"{score.label} · {score.confidence:.0%}" for score in one.top[:_CLASSES]]
        found += [""] * (_CLASSES - len(found))
        rows.append((address.format(index=one.index), one.filename, one.error or found[0], *found[1:]))
    return pd.DataFrame(rows, columns=["", "File", "First", "Second", "Third"])
