"""How much clients may store: stacks and bytes, each client's and all together."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.disk import check_free
from core.base.errors import QuotaExceeded, TooManyStacks
from core.base.settings import MIB, Settings


@dataclass(frozen=True, slots=True)
class Usage:
    """Stacks, and the bytes granted to them."""

    stacks: int
    bytes: int


# A stack of so few bytes (two images, or broken ones) is quickly uploaded again, and the first to make room.
TINY_BYTES = 2 * MIB
# A stack that nobody has looked at for so long makes room for anybody.
IDLE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Place:
    """One open stack or file, as far as making room for another is concerned."""

    id: str
    client: str
    bytes: int
    idle_seconds: float


def place_to_free(places: Sequence[Place], newcomer: str) -> str | None:
    """The id of what has to go when all places are taken and ``newcomer`` wants one; None where nothing has to.

    It is one of the client that has the most, as long as the newcomer does not come to have more than that client
    keeps: however many places one client takes, another gets its own. Else it is one that is idle.
    """
    counts = Counter(place.client for place in places)
    counts.pop("", None)  # the server's own
    if not counts:
        return None
    greedy, most = counts.most_common(1)[0]
    if most > counts[newcomer] + 1:
        candidates = [place for place in places if place.client == greedy]
    else:
        candidates = [place for place in places if place.client and place.idle_seconds >= IDLE_SECONDS]
    if not candidates:
        return None
    return min(candidates, key=lambda place: (place.bytes > TINY_BYTES, -place.idle_seconds)).id


class Quota:
    """Counts what is stored for whom. Safe to use from any thread.

    A client is whatever name its requests come under; the empty name is the server itself and has no limit of its own.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._lock = threading.Lock()
        self._stacks: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    @property
    def usage(self) -> Usage:
        """What is taken, of all clients."""
        with self._lock:
            return Usage(self._stacks.total(), self._bytes.total())

    def open_without_place(self, client: str) -> QuotaShare:
        """What ``client`` stores beside its stacks, such as a model of its own: only its bytes count."""
        return QuotaShare(self, client, stacks=0)

    def open(self, client: str) -> QuotaShare:
        """Room for one more stack of ``client``.

        Raises:
            QuotaExceeded: this client holds as many stacks as it may.
            TooManyStacks: the server does.
        """
        with self._lock:
            if client and self._stacks[client] >= self._settings.max_stacks_per_client:
                raise QuotaExceeded(
                    f"You have {self._stacks[client]} stacks open, as many as one client may. Close one of them first."
                )
            if self._stacks.total() >= self._settings.max_stacks:
                raise TooManyStacks("The server holds as many stacks as it can. Try again in a few minutes.")
            self._stacks[client] += 1
        return QuotaShare(self, client, stacks=1)

    def _grow(self, client: str, count: int) -> None:
        limits = self._settings
        with self._lock:
            if self._bytes.total() + count > limits.max_stored_bytes:
                raise TooManyStacks("The server has no room for more images now. Try again in a few minutes.")
            if client and self._bytes[client] + count > limits.max_bytes_per_client:
                most = limits.max_bytes_per_client // MIB
                raise QuotaExceeded(f"You would pass the {most:,} MB one client may store. Close a stack first.")
            # Space that is reserved and not written yet counts twice, as free and as reserved; the reserve absorbs it.
            check_free(self._folder, count, limits.min_free_bytes)
            self._bytes[client] += count

    def _give_back(self, client: str, count: int, stacks: int = 0) -> None:
        with self._lock:
            for counts, less in ((self._stacks, stacks), (self._bytes, count)):
                counts[client] -= less
                if not counts[client]:
                    del counts[client]


class QuotaShare:
    """What one stack of ``client``, or something else of theirs, takes of the quota, in ``bytes``."""

    def __init__(self, quota: Quota, client: str, stacks: int) -> None:
        self._quota = quota
        self._stacks = stacks
        self._lock = threading.Lock()
        self.client = client
        self.bytes = 0
        self._released = False

    def grow(self, count: int) -> None:
        """Take room for ``count`` bytes more; a negative count gives room back. Nothing happens after ``release``.

        Raises:
            TooManyStacks: the server's room is used up.
            QuotaExceeded: the client's is.
            DiskFull: the disk is.
        """
        with self._lock:
            if not self._released:
                if count < 0:
                    self._quota._give_back(self.client, -count)
                else:
                    self._quota._grow(self.client, count)
                self.bytes += count

    def resize(self, count: int) -> None:
        """Take ``count`` bytes in all from now on, more or fewer than before; raises what ``grow`` does."""
        if count > self.bytes:
            self.grow(count - self.bytes)
            return
        with self._lock:
            if not self._released:
                self._quota._give_back(self.client, self.bytes - count)
                self.bytes = count

    def release(self) -> None:
        """Give everything back; once is enough, more is harmless."""
        with self._lock:
            if not self._released:
                self._released = True
                self._quota._give_back(self.client, self.bytes, self._stacks)
