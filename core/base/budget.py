"""A bounded number of bytes in flight for the whole process, shared fairly between clients."""

from __future__ import annotations

from typing import Final

from core.base.byte_lane import ByteLane, Bytes, Reservation
from core.base.settings import MIB

# Work that takes no more is small: it has a quarter of the budget to itself, so that it never waits for large work.
SMALL_BYTES: Final = 32 * MIB


class ByteBudget(Bytes):
    """Grants bytes: first to the client that had the fewest lately, of its requests the most urgent one.

    So a client with many large images delays another by about one of them. Nothing is overtaken for being large:
    what does not fit waits until it does, and what is larger than all there is gets all there is. Safe to use from
    any thread.
    """

    def __init__(self, total: int, *, large_at_once: int | None = None) -> None:
        """``total`` bytes, of which small work (up to ``SMALL_BYTES``) has a quarter and large work the rest.

        ``large_at_once`` is how many may do large work together, however little they need: with more of them than
        cores all would end later, and nobody's turn would come in between.
        """
        self._small = ByteLane(total // 4)
        self._large = ByteLane(total - total // 4, at_once=large_at_once)

    @property
    def used(self) -> int:
        """Bytes granted now."""
        return self._small.used + self._large.used

    @property
    def waiting(self) -> int:
        """Requests that are not granted yet."""
        return self._small.waiting + self._large.waiting

    def request(
        self,
        count: int,
        *,
        client: str = "",
        urgency: int = 0,
        cost: int | None = None,
        most_waiting: int | None = None,
    ) -> Reservation:
        """See ``Bytes.request``."""
        lane = self._small if count <= SMALL_BYTES else self._large
        return lane.request(count, client=client, urgency=urgency, cost=cost, most_waiting=most_waiting)

    def close(self) -> None:
        """Grant nothing more; who waits gets Busy."""
        self._small.close()
        self._large.close()
