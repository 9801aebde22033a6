"""All models that can be used here: what they are, side by side, and their files to take along."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pandas as pd
import streamlit as st

from core.base.disk import folder_bytes
from core.base.errors import ModelError
from core.engines.openvino import INT8
from core.models.install import pack_model
from core.models.model import Model
from core.models.model_server import pack_repository
from core.runtime import get_runtime
from pages._ui.shell.models import told_apart
from pages._ui.shell.session import Session


def my_models(session: Session) -> None:
    """A table to compare them, and downloads of the one that is chosen."""
    usable, _ = get_runtime().models.installed()
    models = list(dict.fromkeys([*usable, *session.own_models]))
    if not models:
        return
    st.subheader("My models")
    st.dataframe(_table(models, session), hide_index=True)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = st.selectbox(
            "Take along", range(len(models)), format_func=told_apart(models).__getitem__, key="take-along", width=320
        )
        model = models[place]
        st.download_button(
            "Download its folder",
            lambda: pack_model(model),
            f"{model.card.name}.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
            help="Unpacked into the models folder of a server's data folder, it is installed there for everybody.",
        )
        st.download_button(
            "For OpenVINO Model Server",
            lambda: pack_repository(model),
            f"{model.card.name}-model-server.zip",
            "application/zip",
            icon=":material/dns:",
            on_click="ignore",
            disabled=not model.has_int8,
            help="A repository that the server reads: config.json, and the INT8 model that takes images as it decodes "
            "them. docs/models.md has the call of a client.",
        )


def _table(models: Sequence[Model], session: Session) -> pd.DataFrame:
    in_use: Model | None = None
    with suppress(ModelError):  # the default one is missing or damaged
        in_use = session.model
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
                "Size": f"{folder_bytes(model.folder) / 1e6:,.1f} MB",
            }
        )
    return pd.DataFrame(rows)
