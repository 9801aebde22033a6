"""Engines' logits for images of a stack, kept as long as the stack: a second attempt asks FP32 nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from core.engines.engine import LOGITS, Engine, EngineName
from core.models.model import Model
from core.stacks.stack import ImageStack

BATCH = 16
_MOST_KEPT = 8  # for each stack; 400 images of 1000 classes are 1.6 MB

_Key = tuple[str, EngineName, tuple[int, ...]]
_kept: WeakKeyDictionary[ImageStack, dict[_Key, NDArray[np.float32]]] = WeakKeyDictionary()


def engine_logits(
    engine: Engine, inputs: NDArray[np.uint8], on_batch: Callable[[int], None] = lambda images: None
) -> NDArray[np.float32]:
    """Logits float32 ``[N, classes]`` for model inputs uint8 ``[N, *input_shape]``.

    ``on_batch`` is called before each batch with its number of images, in any thread; what it raises ends the work.
    """

    def infer(start: int) -> NDArray[np.float32]:
        batch = inputs[start : start + BATCH]
        on_batch(len(batch))
        return engine.infer(batch)[LOGITS]

    with ThreadPoolExecutor(engine.parallelism) as pool:
        return np.concatenate(list(pool.map(infer, range(0, len(inputs), BATCH))))


def kept_logits(
    model: Model,
    engine: EngineName,
    stack: ImageStack,
    indices: Sequence[int],
    inputs: NDArray[np.uint8],
    on_batch: Callable[[int], None],
) -> NDArray[np.float32]:
    """As ``engine_logits``, for the images at ``indices`` of ``stack``; computed the first time."""
    kept = _kept.setdefault(stack, {})
    key = (model.checksum, engine, tuple(indices))
    if key not in kept:
        found = engine_logits(model.engine(engine), inputs, on_batch)
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        kept[key] = found
    return kept[key]
