"""All models that can be used here: what they are, side by side; taking one along, renaming and deleting it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pandas as pd
import streamlit as st

from core.base.disk import folder_bytes
from core.base.errors import AppError, ModelError
from core.engines.openvino import INT8
from core.models import imagenet
from core.models.install import pack_model
from core.models.model import Model
from core.models.model_server import pack_repository
from core.runtime import get_runtime
from pages._ui.shell.downloads import download_button
from pages._ui.shell.messages import escape, megabytes
from pages._ui.shell.models import MAX_TITLE, told_apart
from pages._ui.shell.session import Session


def my_models(session: Session) -> None:
    """A table to compare them, and what can be done with the one that is chosen."""
    usable, _ = get_runtime().models.installed()
    models = list(dict.fromkeys([*usable, *session.own_models]))
    if not models:
        return
    st.subheader("My models")
    st.dataframe(_table(models, session), hide_index=True)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        titles = told_apart(models)
        place = st.selectbox(
            "With this model", range(len(models)), format_func=titles.__getitem__, key="take-along", width=320
        )
        model = models[min(place, len(models) - 1)]  # one of them may have gone meanwhile
        _use(session, model)
        _downloads(model)
        if _may_change(session, model):
            _rename(session, model)
            _delete(session, model)


def _use(session: Session, model: Model) -> None:
    if model is not _in_use(session) and st.button("Use it", icon=":material/check:", disabled=session.working):
        session.chosen_model = model
        st.rerun()


def _downloads(model: Model) -> None:
    download_button(
        "Download its folder",
        lambda: pack_model(model),
        f"{model.card.name}.zip",
        help="Unpacked into the models folder of a server's data folder, it is installed there for everybody.",
    )
    download_button(
        "For OpenVINO Model Server",
        lambda: pack_repository(model),
        f"{model.card.name}-model-server.zip",
        icon=":material/dns:",
        disabled=not model.has_int8,
        help="A repository that the server reads: config.json, and the INT8 model that takes images as it decodes "
        "them. docs/models.md has the call of a client.",
    )


def _may_change(session: Session, model: Model) -> bool:
    """Whether it is this session's, or everybody's where people may install models."""
    runtime = get_runtime()
    return model in session.own_models or (runtime.teaching.may_keep and runtime.models.may_remove(model))


def _rename(session: Session, model: Model) -> None:
    with st.popover("Rename", icon=":material/edit:"), st.form(f"rename-{model.folder.name}", border=False):
        title = st.text_input("New name", model.title, max_chars=MAX_TITLE)
        if st.form_submit_button("Rename it"):
            try:
                model.rename(title)
            except (AppError, OSError) as error:
                st.error(escape(error), icon=":material/error:")
            else:
                st.rerun()


def _delete(session: Session, model: Model) -> None:
    with st.popover("Delete", icon=":material/delete:"):
        whose = "" if model in session.own_models else " It is gone for everybody who uses this server."
        st.markdown(
            f"**{escape(model.title)}** and its files, {megabytes(folder_bytes(model.folder))}, will be deleted for "
            f"good.{whose} Answers that it has given stay. Download its folder first to keep a copy."
        )
        if session.busy:
            st.caption("Wait until what is running here has ended.")
        if st.button("Delete for good", icon=":material/delete_forever:", type="primary", disabled=session.busy):
            try:
                if model not in session.own_models:
                    get_runtime().models.remove(model)
                    if model.folder.name == imagenet.NAME:
                        get_runtime().imagenet.decline()  # or it would come again at the next start
                session.forget_model(model)
            except (AppError, OSError) as error:
                st.error(escape(error), icon=":material/error:")
            else:
                st.rerun()


def _in_use(session: Session) -> Model | None:
    with suppress(ModelError):  # the default one is missing or damaged
        return session.model
    return None


def _table(models: Sequence[Model], session: Session) -> pd.DataFrame:
    in_use = _in_use(session)
    rows = []
    for model in models:
        card, score = model.card, model.card.scores.get(INT8.name)
        rows.append(
            {
                "Model": card.title,
                "In use": model is in_use,
                "For": "this session" if model in session.own_models else "everybody",
                "Network": card.architecture,
                "Classes": len(card.classes),
                "Input": f"{card.preprocessing.crop} px",
                "INT8": card.quantization.get("agreement with FP32", "yes") if model.has_int8 else "no",
                "Top-1 accuracy": f"{score.top1:.1%}" if score else "",
                "Confidence": "calibrated" if card.confidence else "not calibrated",
                "None of these": card.known is not None,
                "Size": f"{folder_bytes(model.folder) / 1e6:,.1f} MB",
            }
        )
    return pd.DataFrame(rows)
