"""The name under which a client's stacks, requests and connections are counted."""

from __future__ import annotations

import ipaddress

# Whoever has one IPv6 address has the 2**64 beside it (RFC 6177): counted singly, they are clients without end.
IPV6_PREFIX = 64
LOCAL = "127.0.0.1"
_LONGEST = 64  # of what is no address; a proxy writes "unknown" at most


def client_name(address: str | None) -> str:
    """The name of a client at ``address``, as the server gives it: an IPv4 address, an IPv6 network, never nothing.

    The address is already the one that a trusted proxy names, where the connection is that proxy's
    (``core.api.edge.server``).
    """
    try:
        found = ipaddress.ip_address((address or LOCAL).partition("%")[0])
    except ValueError:
        return (address or LOCAL)[:_LONGEST]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:  # IPv4, on a socket for both
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
