"""The name under which a client's stacks and requests are counted."""

from __future__ import annotations

from collections.abc import Mapping

from core.base.settings import Settings


def client_name(headers: Mapping[str, str], address: str | None, settings: Settings) -> str:
    """The address of the connection, or the one that the proxy in front names last in ``settings.client_header``."""
    named = headers.get(settings.client_header, "") if settings.client_header else ""
    return named.rpartition(",")[2].strip() or address or "127.0.0.1"
