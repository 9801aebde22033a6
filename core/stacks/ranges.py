"""The range of values of all images of a stack together, which grows as they are decoded."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from core.base.errors import RangeUnknown
from core.images.pixels import ValueRange, scalable


class StackRange:
    """The lowest and the highest value of the images that are scaled by one. Thread-safe.

    Images of one type of samples have a range together, because a number means something else in each.
    """

    def __init__(self, images: int) -> None:
        self._awaited = bytearray(images)
        self._missing = 0
        self._ends: dict[str, ValueRange] = {}
        self._lock = threading.Lock()
        self.images = 0

    def expect(self, index: int) -> None:
        """The image at ``index`` is one of them."""
        self._awaited[index] = 1
        self._missing += 1
        self.images += 1

    @property
    def is_known(self) -> bool:
        """Whether all of them were looked at."""
        return not self._missing

    @property
    def awaited(self) -> list[int]:
        """Positions of those that were not."""
        return [index for index, awaited in enumerate(self._awaited) if awaited]

    def add(self, index: int, dtype: np.dtype[Any], low: float, high: float) -> None:
        """What ``visible_values`` gives of an image; where the first is above the second, it has none."""
        with self._lock:
            if low <= high:
                lowest, highest = self._ends.get(dtype.name, (low, high))
                self._ends[dtype.name] = min(low, lowest), max(high, highest)
            self._look(index)

    def leave_out(self, index: int) -> None:
        """An image that cannot be read has no values; nor has one that is not scaled."""
        with self._lock:
            self._look(index)

    def of(self, dtype: np.dtype[Any]) -> ValueRange:
        """The values that become 0 and 255 in images of this type.

        Raises:
            RangeUnknown: not all images were looked at.
        """
        self.check_known()
        low, high = self._ends.get(dtype.name, (1, 0))
        return scalable(low, high, dtype)

    def check_known(self) -> None:
        """Raises RangeUnknown where not all images were looked at."""
        if not self.is_known:
            raise RangeUnknown(
                f"{self._missing:,} of {self.images:,} images were not looked at yet, so the range of the whole stack "
                "is not known. Ask again in a moment."
            )

    def _look(self, index: int) -> None:
        self._missing -= self._awaited[index]
        self._awaited[index] = 0
