"""Launcher: one process with the pages and the HTTP API. Start it with ``streamlit run app.py``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.routing import Route

from core.api import DOORS, create_api
from core.runtime import get_runtime


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Load the default model before the first request needs it; delete every stack at the end."""
    runtime = get_runtime()
    runtime.warm_up()
    yield
    runtime.close()


_runtime = get_runtime()
_api = create_api(_runtime.store, _runtime.models, _runtime.settings)

app = st.App(
    Path(__file__).parent / "pages" / "_router.py",
    routes=[Route(path, _api) for path in DOORS],
    lifespan=lifespan,
)
