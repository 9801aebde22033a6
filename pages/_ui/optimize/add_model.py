"""Adding a model: ImageNet's by one button, a file of one's own by a form."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from core.base.errors import AppError, PreprocessingUnknown
from core.models.architectures import RESNET18
from core.models.foreign.importer import ARCHIVE, STATES, ImportOrder
from core.models.foreign.job import ForeignImportJob
from core.models.own import ImportJob
from core.runtime import get_runtime
from core.stacks.files import KeptFile
from pages._ui.optimize.preprocessing_form import preprocessing_asked, preprocessing_form
from pages._ui.optimize.trial import begin_trial, trial
from pages._ui.shell.messages import escape, megabytes, waiting
from pages._ui.shell.model_in_use import get_imagenet
from pages._ui.shell.models import MAX_TITLE, keep_model
from pages._ui.shell.session import Session
from pages._ui.shell.steps import REFRESH_SECONDS
from pages._ui.viewer.uploader import PAIR, weights_uploader

_MAX_SMALL_MIB = 4  # of labels and settings
# Those that tests import; every other name that torchvision or timm knows can be written.
_NETWORKS = (
    RESNET18.name,
    "resnet34",
    "resnet50",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "convnext_tiny",
    "vit_b_16",
)


def add_model(session: Session) -> None:
    """ImageNet by one button, a file by a form."""
    st.subheader("Add a model")
    trial(session)  # where the form that has added it is
    left, right = st.columns(2)
    with left, st.container(border=True):
        st.markdown("**ImageNet**")
        st.caption("1,000 everyday things, animals and plants: torchvision's weights, a download of 45 MB.")
        get_imagenet(session)
    with right, st.container(border=True):
        st.markdown("**A model of your own**")
        st.caption(
            "An image classifier, for this session alone: a PyTorch state dict, ONNX, an OpenVINO IR (its .xml and "
            ".bin), or a model downloaded from *My models*, as it is. A ResNet18 can be run by PyTorch, too."
        )
        _own_model(session)


def _own_model(session: Session) -> None:
    weights = _weights(session)
    kind = weights[0].path.suffix if weights else STATES[0]
    is_state = kind in STATES
    # Another form after each model that was added; one that was refused keeps its fields for another try.
    with st.form(f"own-weights-{len(session.own_models)}", border=False):
        title = st.text_input(
            "Name",
            max_chars=MAX_TITLE,
            placeholder="As it was called" if kind == ARCHIVE else "Parts inspection",
        ).strip()
        network = RESNET18.name
        if is_state:
            network = st.selectbox(
                "Network",
                _NETWORKS,
                accept_new_options=True,
                help="Which network the state dict is of, as torchvision calls it. Others can be written.",
            )
        labels = st.file_uploader(
            "Class labels",
            type=["txt", "json"],
            max_upload_size=_MAX_SMALL_MIB,
            help="One a line, or a JSON list, in the order of the outputs. A model's own config may name them, too.",
        )
        configs = st.file_uploader(
            "Its config.json and preprocessor_config.json",
            type=["json"],
            accept_multiple_files=True,
            max_upload_size=_MAX_SMALL_MIB,
            help="How images become its inputs, as timm or Hugging Face write it. It is never guessed.",
        )
        asked_for = session.preprocessing_unknown
        with st.expander("How images become its inputs", expanded=asked_for, icon=":material/crop:"):
            preprocessing_form()
        asked = st.form_submit_button("Add", icon=":material/add:")
    if asked and session.import_job is None:
        is_resnet18 = is_state and network == RESNET18.name and not configs
        needed = {"a name": title or kind == ARCHIVE, "a model": weights} | ({"labels": labels} if is_resnet18 else {})
        missing = [name for name, given in needed.items() if not given]
        if missing:
            st.error(f"Still missing: {escape(', '.join(missing))}.", icon=":material/error:")
            return
        try:
            said = preprocessing_asked()
        except AppError as error:
            st.error(escape(error), icon=":material/error:")
            return
        given = labels.getvalue() if labels else b""
        if is_resnet18 and said is None:
            _begin(session, weights[0], given, title, None)
        else:
            first, *others = weights
            settings = [_beside(first, number, config.getvalue()) for number, config in enumerate(configs, 1)]
            numbers = others[0].path if others else None
            order = ImportOrder(first.path, title, network if is_state else "", given, settings, said, numbers)
            _begin(session, first, given, title, order)
    if session.import_job is not None:
        _follow(session, session.import_job)


def _beside(weights: KeptFile, number: int, data: bytes) -> Path:
    """The settings as a file beside the weights, with which it goes; its own name is a stranger's."""
    path = weights.path.with_name(f"config-{number}.json")
    path.write_bytes(data)
    return path


def _begin(session: Session, weights: KeptFile, labels: bytes, title: str, order: ImportOrder | None) -> None:
    folder, share = session.new_model_room(re.sub("[^a-z0-9]+", "-", title.lower()).strip("-") or "own")
    settings = get_runtime().settings
    if order is None:
        turn = session.take_turn(weights.file_id, "recognition")
        session.import_job = ImportJob(weights.path, labels, folder, title, settings, turn, share.resize)
    else:
        turn = session.take_turn(weights.file_id, "heavy")
        session.import_job = ForeignImportJob(order, folder, settings, turn, share.resize)
    session.watch(session.import_job)


def _follow(session: Session, job: ImportJob) -> None:
    """Wait for the job below its form, whose fields stay as they are for another try."""
    with st.spinner("Checking the model…"):
        told = st.empty()
        while job.status == "running":
            told.caption(waiting(0) if job.waiting else "")  # also where a session that ends leaves
            job.wait(REFRESH_SECONDS)
    session.import_job = None
    session.preprocessing_unknown = job.error is PreprocessingUnknown
    if job.model is None:
        st.error(escape(job.message), icon=":material/error:")
        if session.preprocessing_unknown:
            st.caption("Say it under “How images become its inputs” above.")
        return
    session.keep_weights()
    keep_model(session, job.model)
    begin_trial(session, job.model)
    st.toast(f"{escape(job.model.title)} was added and is in use.", icon=":material/check:")
    st.rerun()


def _weights(session: Session) -> tuple[KeptFile, ...]:
    """The file that has been sent, or both of an IR; none while a field that takes them is shown."""
    sent = session.weights
    is_whole = bool(sent) and (len(sent) == len(PAIR) or sent[0].path.suffix not in PAIR)
    if sent:
        with st.container(horizontal=True, vertical_alignment="center"):
            names = " and ".join(escape(one.name) for one in sent)
            size = megabytes(sum(one.size for one in sent))
            st.markdown(f":material/check_circle: **{names}** · {size}", width="stretch")
            if st.button("Remove", key="remove-weights", type="tertiary"):
                session.keep_weights()
                st.rerun()
    if is_whole:
        if sent[0].path.suffix == ARCHIVE:
            st.caption("One that was downloaded here brings all of it: press *Add*. An OpenVINO IR needs the fields.")
        return sent
    weights_uploader(session, key="weights")
    st.caption("Of a .pth or .pt file only the weights are read; code in it is never run.")
    if session.weights_error:
        st.error(escape(session.weights_error), icon=":material/error:")
    return ()
