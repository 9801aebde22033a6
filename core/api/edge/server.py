"""What the HTTP server allows a connection. uvicorn has the options; ``streamlit run`` offers none of them."""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from functools import partial
from typing import Any

from uvicorn import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from core.api.access import OPEN_PATHS
from core.api.edge.connections import LOG_SECONDS, MAX_ASIDE, Connections
from core.api.edge.http_protocol import (
    HEAD_SECONDS,
    TICK_SECONDS,
    BoundedHttpProtocol,
    BoundedWebSocketProtocol,
    only_health,
)
from core.base.settings import MIB, Settings, split_list

# A page reports which image is shown and which are selected: of 20,000 selected ones 140 kB. uvicorn's own default is
# 16 MiB, Streamlit's 200 MB; a message is held in memory until its last byte.
MAX_MESSAGE_BYTES = MIB
MAX_FILES = 65_536  # open at once; more would only make tables larger
FILES_KEPT = 128  # for models, logs, libraries
BACKLOG = 2048  # connections that the system accepts before the process does: as many as uvicorn's default
ACCEPT_FAILED = "socket.accept() out of system resource"

_log = logging.getLogger(__name__)


def harden(
    config: Config,
    settings: Settings,
    base_path: str = "",
    *,
    head_seconds: float = HEAD_SECONDS,
    tick_seconds: float = TICK_SECONDS,
    max_aside: int = MAX_ASIDE,
) -> Connections:
    """Set the limits of a server that runs with ``config`` and has not begun to accept connections.

    To be called from its event loop; returns the book of its connections.
    """
    files = raise_file_limit()
    # Half of what is left is for stacks, of which each keeps three files open.
    connections = max(min(settings.max_connections, (files - FILES_KEPT) // 2), 16)
    if connections < settings.max_connections:
        _log.warning("connections limit=%d because open files are limited to %d", connections, files)
    # asyncio accepts so many in one go, before a limit can look at them.
    config.backlog = max(min(BACKLOG, (files - FILES_KEPT - connections) // 4), 16)
    proxies = split_list(settings.trusted_proxies)
    door = Connections(connections, settings.max_connections_per_client, proxies, max_aside=max_aside)
    app: Any = config.loaded_app
    if isinstance(app, ProxyHeadersMiddleware):
        app = app.app  # uvicorn's believes whoever connects from this machine
    config.loaded_app = ProxyHeadersMiddleware(app, trusted_hosts=proxies)
    config.http_protocol_class = partial(  # type: ignore[assignment]
        BoundedHttpProtocol,
        door=door,
        aside=only_health(app, frozenset(base_path + path for path in OPEN_PATHS)),
        idle_seconds=settings.upload_idle_seconds,
        bytes_per_second=settings.min_bytes_per_second,
        head_seconds=head_seconds,
        tick_seconds=tick_seconds,
    )
    config.ws_protocol_class = partial(BoundedWebSocketProtocol, door=door)  # type: ignore[assignment]
    config.ws_max_size = MAX_MESSAGE_BYTES
    config.encoded_headers = [field for field in config.encoded_headers if field[0] != b"server"]
    asyncio.get_running_loop().set_exception_handler(QuietAboutFiles())
    return door


def raise_file_limit() -> int:
    """Let this process open as many files as it may, up to ``MAX_FILES``; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return MAX_FILES if soft == resource.RLIM_INFINITY else soft


class QuietAboutFiles:
    """What a loop does with errors: asyncio reports each connection that waits for a file, with a traceback, and a line
    now and then is enough.
    """

    def __init__(self) -> None:
        self._said = -float(LOG_SECONDS)

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """As ``asyncio.AbstractEventLoop.set_exception_handler`` calls it."""
        if context.get("message") != ACCEPT_FAILED:
            loop.default_exception_handler(context)
        elif time.monotonic() > self._said + LOG_SECONDS:
            self._said = time.monotonic()
            _log.error("no more connections can be accepted: %s", context.get("exception"))
