"""Features of a stack's images, kept from a recognition or made by one: in turns, with progress and cancel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ModelError
from core.engines.engine import FEATURES, EngineName
from core.engines.registry import default_engine
from core.models.model import Model
from core.recognition.features import FeatureRows
from core.recognition.results import Prediction
from core.recognition.service import Door, Order, Purpose, RecognitionService, Watcher
from core.stacks.stack import ImageStack

OnImages = Callable[[int], None]
CONTENT_BYTES = 16  # of the digest of an image's model input


@dataclass(frozen=True, slots=True)
class Looker:
    """Who looks at a stack's images, and for whom: ``backbone``'s network, in turns of ``client``."""

    service: RecognitionService
    stack: ImageStack
    backbone: Model
    client: str = ""
    door: Door = "page"

    def __post_init__(self) -> None:
        """Raises ModelError for a network without features."""
        if not self.backbone.features:
            raise ModelError(
                f"{self.backbone.title} does not end in a linear layer, so it cannot be taught; choose another."
            )

    @property
    def engine(self) -> EngineName:
        """The default engine where the backbone has it, else what its answers are compared with."""
        default = default_engine()
        return self.backbone.reference.name if default.missing(self.backbone) else default.name

    def known(self, indices: Sequence[int]) -> list[int]:
        """Those of ``indices`` whose features are there."""
        missing = set(self._rows(mirrored=False).missing(indices))
        return [index for index in indices if index not in missing]

    def look(
        self,
        indices: Sequence[int],
        cancelled: Event,
        *,
        mirrored: bool = False,
        on_images: OnImages = lambda count: None,
    ) -> list[int]:
        """Have the features of images, or of their mirror images, where they are not there; the readable ones.

        Args:
            indices: positions in the stack.
            cancelled: set it from another thread to stop.
            mirrored: of the mirror images instead.
            on_images: called with a number of images that are done, which sum up to all.

        Raises:
            Busy, TooManyRequests, Cancelled: as ``RecognitionService.run``.
            QuotaExceeded, TooManyStacks, DiskFull: there is no room for features.
            ModelError: the backbone gives none.
        """
        if FEATURES not in self.backbone.engine(self.engine).outputs:
            raise ModelError(f"The model {self.backbone.card.name} gives no features; teach another one.")
        missing = self._rows(mirrored).missing(indices)
        on_images(len(indices) - len(missing))
        if missing:
            purpose: Purpose = "mirrored features" if mirrored else "features"
            order = Order(self.stack, missing, self.backbone, (self.engine,), self.client, purpose=purpose)
            self.service.run(order, self.door, _Counter(on_images), cancelled)
        return [index for index in indices if self.stack.error(index) is None]

    def read(self, indices: Sequence[int], *, mirrored: bool = False) -> NDArray[np.float32]:
        """Features float32 ``[N, F]`` of images that were looked at."""
        return self._rows(mirrored).read(indices)

    def contents(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """Digests of the model inputs of images that were looked at, uint8 ``[N, CONTENT_BYTES]``.

        Equal pixels have equal digests, whatever their files are called and however they are packed.
        """
        made = self.stack.inputs(self.backbone.preprocessing)
        pixels = np.empty(made.shape, np.uint8)
        found = np.empty((len(indices), CONTENT_BYTES), np.uint8)
        for place, (index, job) in enumerate(made.prepare_ahead(indices)):
            job.result()  # at once, unless they were given up meanwhile
            made.read(index, pixels)
            digest = hashlib.blake2b(pixels.data, digest_size=CONTENT_BYTES).digest()
            found[place] = np.frombuffer(digest, np.uint8)
        return found

    def _rows(self, mirrored: bool) -> FeatureRows:
        return self.service.features(self.stack).rows(self.stack, self.backbone, self.engine, mirrored=mirrored)


class _Counter(Watcher):
    def __init__(self, on_images: OnImages) -> None:
        self._on_images = on_images

    def recognized(self, predictions: Sequence[Prediction]) -> None:
        """See ``Watcher.recognized``."""
        self._on_images(len(predictions))
