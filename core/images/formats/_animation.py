"""Frames that are made of the ones before them: what has been decoded stays at hand for the next."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

from core.base.errors import ImageTooLarge
from core.images.formats.format import ImageHeader

MAX_FRAME_PIXELS = 16_000_000
MAX_ALL_PIXELS = 1_000_000_000  # of all frames together, which the last one may take: seconds
KEPT_BYTES = 256 * 1024 * 1024  # of animations that stand at some frame: their files, and what is known of the picture
_KEPT = 16  # of them at most
_PIXEL_BYTES = 12  # the picture, the one before it, and what a frame brings

Open = TypeVar("Open")  # an animation that stands before one of its frames


def check_animation(header: ImageHeader, frames: int) -> None:
    """Refuse an animation whose frames take too much work, which only files of more than one can be.

    Raises:
        ImageTooLarge: more than ``MAX_FRAME_PIXELS`` each, or more than ``MAX_ALL_PIXELS`` together.
    """
    if frames > 1 and (header.pixels > MAX_FRAME_PIXELS or frames * header.pixels > MAX_ALL_PIXELS):
        raise ImageTooLarge(
            f"An animation of at least {frames:,} frames of {header.width} x {header.height} pixels; at most "
            f"{MAX_FRAME_PIXELS:,} pixels each and {MAX_ALL_PIXELS:,} in all can be read. Export its frames as PNG."
        )


class Animations(Generic[Open]):
    """Animations that were left at some frame, for whoever wants a later one. Safe to use from any thread.

    ``most_bytes`` is what they may take together; the one left first goes first.
    """

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: list[tuple[Hashable, int, Open, int]] = []
        self._lock = threading.Lock()

    def take(self, key: Hashable, frame: int) -> tuple[int, Open] | None:
        """The one of this file that stands closest before ``frame``, and where: nobody else has it now."""
        with self._lock:
            fitting = [one for one in self._kept if one[0] == key and one[1] <= frame]
            if not fitting:
                return None
            found = max(fitting, key=lambda one: one[1])
            self._kept = [one for one in self._kept if one is not found]
        return found[1:3]

    def leave(self, key: Hashable, frame: int, animation: Open, file_size: int, pixels: int) -> None:
        """``animation`` of so many ``pixels`` a frame stands before ``frame`` now."""
        with self._lock:
            self._kept = [*self._kept[-_KEPT + 1 :], (key, frame, animation, file_size + _PIXEL_BYTES * pixels)]
            while sum(size for *_, size in self._kept) > self._most_bytes:
                del self._kept[0]
