"""Attacks on a server of our own, a function each; ``python -m scripts.attack`` runs them.

A module here holds the attacks on one part of the server. To add one, write a function and register it::

    @attack("endless headers", "one request whose headers never end")
    def endless_headers(target: Target) -> Outcome: ...

It attacks ``target``, a fresh server on this machine, for some seconds, and says what held.
"""

from scripts.dev.attacks import (
    calibration,
    connections,
    formats,
    images,
    models,
    names,
    other_sites,
    sockets,
    stopping,
    uploads,
)
from scripts.dev.attacks.registry import ATTACKS

__all__ = [
    "ATTACKS",
    "calibration",
    "connections",
    "formats",
    "images",
    "models",
    "names",
    "other_sites",
    "sockets",
    "stopping",
    "uploads",
]
