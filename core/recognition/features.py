"""What a network saw in a stack's images: pooled features, kept beside the answers that came with them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.engines.engine import EngineName
from core.images.pixels import RangeOf
from core.models.model import Model
from core.stacks.scratch import RowFile, row_bytes
from core.stacks.stack import ImageStack

# Files of one stack, each of another model, engine or side; 20,000 images of a ResNet18 take 77 MB. The one unused for
# longest makes room.
MOST_KEPT = 6

_Key = tuple[str, EngineName, bool, RangeOf]


class FeatureRows:
    """The features of a stack's images, float32 ``[width]`` each, as far as they are known. Safe from any thread."""

    def __init__(self, rows: RowFile, width: int) -> None:
        self.width = width
        self._rows = rows

    def add(self, indices: Sequence[int], features: NDArray[np.float32]) -> None:
        """Keep ``features``, float32 ``[N, width]``, of the images at ``indices``.

        Raises:
            DiskFull: no space left.
        """
        for index, row in zip(indices, features, strict=True):
            self._rows.write(index, row)

    def missing(self, indices: Sequence[int]) -> list[int]:
        """Those of ``indices`` whose features are not known."""
        return [index for index in indices if index not in self._rows]

    def read(self, indices: Sequence[int]) -> NDArray[np.float32]:
        """Features float32 ``[N, width]``.

        Raises:
            ValueError: those of an image are not known.
        """
        found = np.empty((len(indices), self.width), np.float32)
        for place, index in enumerate(indices):
            self._rows.read_into(index, found[place])
        return found


class StackFeatures:
    """The features kept of one stack. It does not keep the stack itself alive."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, FeatureRows] = OrderedDict()
        self._lock = threading.Lock()

    def rows(
        self,
        stack: ImageStack,
        model: Model,
        engine: EngineName,
        *,
        mirrored: bool = False,
        range_of: RangeOf | None = None,
    ) -> FeatureRows:
        """Where the features of ``stack`` are kept that an engine of ``model`` gives, empty the first time.

        ``mirrored`` means those of the images' mirror images, ``range_of`` what values are scaled by; left out, what is
        chosen for the stack.

        Raises:
            QuotaExceeded, TooManyStacks, DiskFull, StackNotFound: as ``ImageStack.new_rows``.
        """
        key = (model.checksum, engine, mirrored, (range_of or stack.range_of) if stack.range.images else "image")
        with self._lock:
            if key not in self._kept:
                while len(self._kept) >= MOST_KEPT:
                    _, old = self._kept.popitem(last=False)
                    stack.reserve(-len(stack) * row_bytes((old.width,), np.float32))
                width = model.features
                self._kept[key] = FeatureRows(stack.new_rows((width,), np.float32), width)
            self._kept.move_to_end(key)
            return self._kept[key]
