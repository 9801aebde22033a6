"""How many connections there may be: of one client, and of all together."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Sequence
from enum import Enum

from core.api.client_names import LOCAL, client_name

# Connections beyond the limits that are kept for a moment: to be told why, or to ask for the server's health.
MAX_ASIDE = 64
LOG_SECONDS = 10  # refused connections are summed up so often: a line for each would be another way to fill a disk

_log = logging.getLogger(__name__)


class Admission(Enum):
    """What a new connection may do."""

    IN = "everything"
    ASIDE = "be refused in words, or ask for the server's health"
    OUT = "nothing: it is closed at once"


class Connections:
    """Counts connections by client. To be used from the event loop's thread alone.

    Those of trusted proxies count towards the sum only: many clients stand behind one of them.
    """

    def __init__(
        self, limit: int, limit_per_client: int, proxies: Sequence[str], *, max_aside: int = MAX_ASIDE
    ) -> None:
        self._limit = limit
        self._limit_per_client = limit_per_client
        self._max_aside = max_aside
        self._proxies = [ipaddress.ip_network(proxy) for proxy in proxies]
        self._clients: dict[int, str] = {}
        self._by_client: Counter[str] = Counter()
        self._aside: set[int] = set()
        self._refused: Counter[str] = Counter()
        self._said = 0.0

    def __len__(self) -> int:
        return len(self._clients)

    def enter(self, connection: object, address: str | None) -> Admission:
        """Count ``connection``, which comes from ``address``, and say what it may do."""
        client = client_name(address)
        full = len(self._clients) >= self._limit
        if not full and (self._by_client[client] < self._limit_per_client or self._is_proxy(address)):
            self._clients[id(connection)] = client
            self._by_client[client] += 1
            return Admission.IN
        self._refuse(client)
        if len(self._aside) >= self._max_aside:
            return Admission.OUT
        self._aside.add(id(connection))
        return Admission.ASIDE

    def leave(self, connection: object) -> None:
        """Count ``connection`` no longer; once is enough, more is harmless."""
        self._aside.discard(id(connection))
        client = self._clients.pop(id(connection), None)
        if client is not None:
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]

    def _is_proxy(self, address: str | None) -> bool:
        return any(ipaddress.ip_address(address or LOCAL) in network for network in self._proxies)

    def _refuse(self, client: str) -> None:
        self._refused[client] += 1
        if time.monotonic() < self._said + LOG_SECONDS and self._said:
            return
        self._said = time.monotonic()
        (most, count), total = self._refused.most_common(1)[0], self._refused.total()
        _log.warning("connections refused=%d open=%d client=%s of_client=%d", total, len(self), most, count)
        self._refused.clear()
