"""How far answers of a model that an optimisation has made can be trusted: temperatures, and what it knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.engines.engine import FEATURES, Engine, EngineName
from core.engines.openvino import FP32, INT8
from core.models.card import KnownImages, ModelCard, Temperature
from core.optimize.reference_logits import BATCH
from core.recognition.known import write_known
from core.trust.known import NEAREST, of_examples
from core.trust.temperature import MIN_IMAGES, alike, fitted, fp32_engines


def confidence_of(
    source: ModelCard,
    stack: str,
    fp32: NDArray[np.float32],
    int8: NDArray[np.float32],
    labels: NDArray[np.int64] | None,
) -> dict[EngineName, Temperature]:
    """A temperature for each engine; none where nobody knows how often answers are right. INT8's logits are new ones.

    Labels of the stack fit them, unless those of ``source`` were fitted on more images. Then FP32, whose weights are
    the same, keeps its temperature, and INT8 gets the one that brings it closest to FP32.

    Args:
        source: card of the model that was optimised.
        stack: its name.
        fp32, int8: logits float32 ``[N, classes]`` of the images that judge.
        labels: their class indices int ``[N]``, -1 where unknown; None where none is known.
    """
    before = source.confidence.get(FP32.name)
    known = np.zeros(0, np.int64) if labels is None else np.flatnonzero(labels >= 0)
    if labels is not None and len(known) >= max(MIN_IMAGES, before.images if before else 0):
        given = f"labelled images of {stack} that did not calibrate INT8"
        shared = fitted(fp32[known], labels[known], given)
        return dict.fromkeys(fp32_engines(), shared) | {INT8.name: fitted(int8[known], labels[known], given)}
    if before is None:
        return {}
    kept = {name: source.confidence[name] for name in fp32_engines() if name in source.confidence}
    return kept | {INT8.name: alike(int8, fp32, before, f"FP32's confidences on images of {stack}; {before.source}")}


def write_known_by_labels(
    path: Path,
    stack: str,
    engine: Engine,
    inputs: NDArray[np.uint8],
    labels: NDArray[np.int64],
    classes: Sequence[str],
) -> KnownImages | None:
    """Write what is known of a model's images, if some of every class are labelled: others would be called unknown.

    Args:
        path: of the new file.
        stack: name of the stack they are from.
        engine: of the model; gives features.
        inputs: model inputs uint8 ``[N, H, W, 3]``.
        labels: their class indices int ``[N]``, -1 where unknown.
        classes: of the model.
    """
    rows = np.flatnonzero(labels >= 0)
    if np.bincount(labels[rows], minlength=len(classes)).min() < NEAREST:
        return None
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    features = np.concatenate([engine.infer(inputs[part], (FEATURES,))[FEATURES] for part in parts])
    known = of_examples(features, features, labels[rows])
    write_known(known, path)
    count = len(known.references)
    return KnownImages(images=count, measured=count, source=f"labelled images of {stack}, each measured by the others")
