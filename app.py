"""Launcher: one process with the pages and the HTTP API. Start it with ``streamlit run app.py``."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import streamlit as st
from starlette.routing import Route
from streamlit.runtime import Runtime

from core.api import ROUTES, create_api
from core.api.edge.middleware import edge_middleware
from core.api.edge.server import harden
from core.base.exit_deadline import ExitDeadline
from core.base.logs import configure_logs
from core.base.reach import only_this_computer
from core.base.settings import MIB
from core.runtime import get_runtime
from core.teach.service import may_keep_models
from pages._ui.compat import (
    drop_ended_sessions,
    keep_downloads,
    keep_page_changes,
    let_callbacks_finish,
    limit_uploaded_files,
    on_stop,
    uvicorn_config,
)
from pages._ui.components.assets import script_route
from pages._ui.shell.browsers import get_browsers

HOUSEKEEPING_SECONDS = 20.0
# After being told to stop; docker kills after 10 s, and deleting takes time on a busy machine.
END_REQUESTS_SECONDS = 6
END_PROCESS_SECONDS = 9.5
# Of Streamlit's upload fields, which hold files in memory: labels, saved benchmarks and sessions, of at most 8 MB each
# (maxUploadSize in .streamlit/config.toml). Weights and stacks come by routes of our own, to disk.
UPLOADED_BYTES_PER_SESSION = 16 * MIB
UPLOADED_BYTES = 256 * MIB
DOWNLOAD_SECONDS = 60.0  # from a press until the browser has asked for the file

_log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Load the default model before the first request needs it; delete every stack at the end."""
    runtime = get_runtime()
    config = uvicorn_config()
    if config is not None:
        harden(config, runtime.settings, _base_path)
    else:
        _log.error("the server's limits for connections could not be set: it is not uvicorn, or another version")
    let_callbacks_finish()
    keep_page_changes()
    limit_uploaded_files(UPLOADED_BYTES_PER_SESSION, UPLOADED_BYTES)
    keep_downloads(Runtime.instance().media_file_mgr, DOWNLOAD_SECONDS)
    runtime.warm_up()
    deadline = ExitDeadline(END_PROCESS_SECONDS, partial(shutil.rmtree, runtime.store.folder, ignore_errors=True))
    on_stop([runtime.recognition.queue.stop, deadline.begin], end_requests_after=END_REQUESTS_SECONDS)
    housekeeping = asyncio.create_task(_drop_ended_sessions())
    yield
    housekeeping.cancel()
    runtime.close()


async def _drop_ended_sessions() -> None:
    while True:
        await asyncio.sleep(HOUSEKEEPING_SECONDS)
        get_browsers().sweep()
        drop_ended_sessions()


_runtime = get_runtime()
configure_logs(_runtime.settings.log_level)
_base_path = f"/{path}" if (path := str(st.get_option("server.baseUrlPath")).strip("/")) else ""
_runtime.teaching.may_keep = may_keep_models(_runtime.settings, st.get_option("server.address"))
_runtime.roots.is_local = only_this_computer(_runtime.settings, st.get_option("server.address"))
_runtime.imagenet.own_stacks = _runtime.roots.is_local
if _runtime.settings.stack_roots and not _runtime.roots.is_local:
    _log.warning("AISR_STACK_ROOTS opens no folders here: others than this computer may reach the server")
_runtime.people.is_local = _runtime.roots.is_local
if _runtime.settings.show_patients == "yes" and not _runtime.people.may_know("localhost"):
    _log.warning("AISR_SHOW_PATIENTS tells nothing here: others than this computer may reach the server")
_api = create_api(
    _runtime.store,
    _runtime.models,
    _runtime.settings,
    _runtime.recognition,
    _base_path,
    teaching=_runtime.teaching,
    evaluation=_runtime.evaluation,
    outcomes=_runtime.outcomes,
    people=_runtime.people,
)

app = st.App(
    Path(__file__).parent / "pages" / "_router.py",
    routes=[script_route(_base_path), *(Route(_base_path + path, _api) for path in ROUTES)],
    lifespan=lifespan,
    middleware=edge_middleware(_runtime.settings, _base_path),
)
