"""Who can reach this server: this computer alone, or others."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from core.base.settings import Settings


def only_this_computer(settings: Settings, address: str | None) -> bool:
    """Whether a server that listens on ``address`` has users on this computer alone, and none behind a proxy."""
    if settings.trusted_proxies or settings.access_header:
        return False
    return _is_loopback(address or "")


def names_this_computer(host: str) -> bool:
    """Whether a request's ``Host`` is this computer's own name or address.

    A page of another web site can have its own name resolve to this computer, and then asks under that name.
    """
    try:
        return _is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
