"""Launcher: one process with the pages and the HTTP API. Start it with ``streamlit run app.py``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route

from core.api import ROUTES, create_api
from core.api.access import AccessMiddleware
from core.base.logs import configure_logs
from core.runtime import get_runtime
from pages._ui.compat import drop_ended_sessions, on_stop
from pages._ui.components.assets import modules_route

HOUSEKEEPING_SECONDS = 20.0
END_REQUESTS_SECONDS = 6  # after being told to stop; docker kills after 10 s, and deleting takes time on a busy machine


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Load the default model before the first request needs it; delete every stack at the end."""
    runtime = get_runtime()
    runtime.warm_up()
    on_stop(runtime.recognition.queue.stop, end_requests_after=END_REQUESTS_SECONDS)
    housekeeping = asyncio.create_task(_drop_ended_sessions())
    yield
    housekeeping.cancel()
    runtime.close()


async def _drop_ended_sessions() -> None:
    while True:
        await asyncio.sleep(HOUSEKEEPING_SECONDS)
        drop_ended_sessions()


_runtime = get_runtime()
configure_logs(_runtime.settings.log_level)
_base_path = f"/{path}" if (path := str(st.get_option("server.baseUrlPath")).strip("/")) else ""
_api = create_api(_runtime.store, _runtime.models, _runtime.settings, _runtime.recognition, _base_path)

app = st.App(
    Path(__file__).parent / "pages" / "_router.py",
    routes=[modules_route(_base_path), *(Route(_base_path + path, _api) for path in ROUTES)],
    lifespan=lifespan,
    middleware=[Middleware(AccessMiddleware, settings=_runtime.settings)],
)
