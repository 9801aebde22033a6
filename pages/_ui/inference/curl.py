"""The last run as commands for a terminal."""

from __future__ import annotations

import json
import shlex
from urllib.parse import quote, urljoin

import streamlit as st

from core.engines.engine import EngineName
from core.recognition.jobs import RecognitionJob
from core.recognition.results import TOP_K
from core.runtime import get_runtime
from pages._ui.shell.messages import escape


def same_over_http(job: RecognitionJob) -> None:
    """The curl lines that ask for what ``job`` has done, to copy."""
    registry = get_runtime().models
    name = job.order.model.card.name
    with st.expander("The same over HTTP", icon=":material/terminal:"):
        if name not in registry.names or registry.get(name) is not job.order.model:
            st.caption(
                f"{escape(job.order.model.card.title)} belongs to this session; "
                "over HTTP there are the installed models only."
            )
            return
        st.code(
            "\n\n".join(curl_line(job, engine, st.context.url or "") for engine in job.order.engines), language="bash"
        )
        documentation = quote(urljoin(st.context.url or "", "api/docs"), safe="%/:[]")
        st.caption(
            "The id in the address is the key to this stack, until you close it. Every route is described at "
            f"[api/docs]({documentation})."
        )


def curl_line(job: RecognitionJob, engine: EngineName, page_url: str) -> str:
    """A command that asks for the predictions of ``engine`` over the images of ``job``.

    Args:
        page_url: where the page is; the API lies beside it.
    """
    address = urljoin(page_url, f"api/v1/stacks/{job.order.stack.id}/predictions")
    wanted: dict[str, object] = {"engine": engine, "model": job.order.model.card.name, "top_k": TOP_K}
    if engine in job.recognitions:
        wanted["batch_size"] = job.recognitions[engine].timing.batch_size
    if len(job.order.indices) < len(job.order.stack):
        wanted["images"] = list(job.order.indices)
    lines = [
        f"curl {shlex.quote(address)}",
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(json.dumps(wanted))}",
    ]
    return " \\\n  ".join(lines)
