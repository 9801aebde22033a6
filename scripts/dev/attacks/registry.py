"""The list of attacks, and what each is given and gives back."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MB = 1e6
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Target:
    """A server under attack: its address, its process, its log, and the folder of its stacks."""

    address: str
    pid: int
    log: Path
    work: Path

    @property
    def host(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self.address.removeprefix("http://").split(":")
        return host, int(port)

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A connection; ``source`` is any address of this machine (127.0.0.0/8)."""
        return socket.create_connection(self.host, TIMEOUT_SECONDS, source_address=(source, 0))


@dataclass(frozen=True, slots=True)
class AttackOutcome:
    """Whether the server held, and the figures that say so."""

    held: bool
    figures: str


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: what it is called, what it does, and the settings its server gets."""

    name: str
    text: str
    run: Callable[[Target], AttackOutcome]
    settings: Mapping[str, str] = field(default_factory=dict)
    open_files: int | None = None  # how many the server may have
    alone: bool = False  # it needs a server that nobody else uses: one with a password, or that it stops


ATTACKS: list[Attack] = []


def attack(
    name: str, text: str, *, open_files: int | None = None, alone: bool = False, **settings: str
) -> Callable[[Callable[[Target], AttackOutcome]], Callable[[Target], AttackOutcome]]:
    """Register a function as an attack; ``settings`` are environment variables of the server."""

    def register(run: Callable[[Target], AttackOutcome]) -> Callable[[Target], AttackOutcome]:
        ATTACKS.append(Attack(name, text, run, settings, open_files, alone or open_files is not None))
        return run

    return register
