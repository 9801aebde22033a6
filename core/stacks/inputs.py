"""The model inputs of a stack, as one preprocessing makes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from core.base.workers import PoolJob, Priority
from core.images.pixels import RangeOf
from core.images.preprocessing import Preprocessing

# Images whose decoding is requested ahead of the one that is waited for: enough to keep every core busy, few enough
# that other people's requests in the shared pool are not kept waiting.
LOOKAHEAD = 32


class ModelInputs:
    """Has model inputs made and reads them. Cheap to make; see ``ImageStack.inputs``."""

    def __init__(
        self,
        preprocessing: Preprocessing,
        prepare: Callable[[int, Priority], PoolJob],
        read: Callable[[int, NDArray[np.uint8]], None],
        scaled_by: Callable[[int], RangeOf | None] = lambda index: None,
    ) -> None:
        self.preprocessing = preprocessing
        self.scaled_by = scaled_by  # whose range of values an image is scaled by; None where it is by none
        self._prepare = prepare
        self._read = read

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one of them; see ``Preprocessing.input_shape``."""
        return self.preprocessing.input_shape

    def prepare(self, index: int, priority: Priority) -> PoolJob:
        """Have the image decoded, unless it was, and return the future; ``ImageStack.error`` tells if it is broken.

        Raises:
            ImageNotFound: no such position.
            StackNotFound: the stack was deleted before the image was decoded; the future may raise it too.

        The future raises ``DiskFull`` where there is no space for the result.
        """
        return self._prepare(index, priority)

    def prepare_ahead(self, indices: Iterable[int]) -> Iterator[tuple[int, PoolJob]]:
        """Each image with the job that decodes it, in order, for a caller who waits for one after the other."""
        ahead: deque[tuple[int, PoolJob]] = deque()
        for index in indices:
            ahead.append((index, self._prepare(index, Priority.RECOGNIZE)))
            if len(ahead) > LOOKAHEAD:
                yield ahead.popleft()
        yield from ahead

    def read(self, index: int, out: NDArray[np.uint8]) -> None:
        """Fill ``out`` (uint8 of ``shape``, C-contiguous) with the model input of an image.

        It must have been prepared, and not be broken: wait for the future of ``prepare``, then ask ``error``.

        Raises:
            ValueError: it was not.
        """
        self._read(index, out)
