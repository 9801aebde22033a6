"""Measure a starter on photos that it never saw: each data set among all its classes, and as a backbone for teaching.

    python -m scripts.dev.evaluate_starter MODEL_FOLDER --data STARTER CALTECH --few-shot STEEL FLOWERS

The data folders hold ``val/CLASS/*``, the few-shot folders ``CLASS/*``. Few-shot: a head over the four stages learns
from 20 photos of each class and their mirror images, and is judged on the others, five times; of FP32.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.engines.engine import FEATURES, Engine
from core.engines.openvino import INT8
from core.engines.registry import reference_engine
from core.models.model import Model
from core.optimize.reference_logits import engine_logits
from core.teach.head import Examples, fit
from core.trust.agreement import agreement
from scripts.dev._photos import Photos, load_photos, model_inputs

EACH, SEEDS, BATCH = 20, 5, 32


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL_FOLDER")
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders with val/CLASS/*")
    parser.add_argument("--few-shot", type=Path, nargs="*", default=[], help="folders with CLASS/*")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as cache:
        model = Model(options.model, Path(cache))
        for folder in options.data:
            _tell_recognition(folder.name, model, load_photos(folder / "val"))
        for folder in options.few_shot:
            photos = load_photos(folder)
            scores = few_shot(model.engine(reference_engine().name), photos)
            print(
                f"{folder.name}, {EACH} of each of {len(photos.classes)} classes: {np.mean(scores):.1%} of "
                f"the others right (draws from {min(scores):.1%} to {max(scores):.1%})",
                flush=True,
            )
    return 0


def _tell_recognition(name: str, model: Model, photos: Photos) -> None:
    places = {label: place for place, label in enumerate(model.card.classes)}
    known = [place for place, label in enumerate(photos.labels) if photos.classes[label] in places]
    inputs = model_inputs([photos.images[place] for place in known])
    labels = np.array([places[photos.classes[photos.labels[place]]] for place in known], np.int64)
    reference = engine_logits(model.engine(reference_engine().name), inputs)
    int8 = engine_logits(model.engine(INT8.name), inputs)
    for engine, logits in (("FP32", reference), ("INT8", int8)):
        right = logits.argmax(1) == labels
        print(
            f"{name}, {engine}, {len(labels):,} photos among {len(places)} classes: top-1 {right.mean():.2%}, "
            f"mean per class {mean_per_class(right, labels):.2%}",
            flush=True,
        )
    print(f"{name}: INT8 and FP32 give the same class to {agreement(reference, int8).top1:.2%}", flush=True)


def mean_per_class(right: NDArray[np.bool_], labels: NDArray[np.int64]) -> float:
    """Mean over the classes of the share that is right; both arrays are ``[N]``."""
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def few_shot(engine: Engine, photos: Photos, each: int = EACH, seeds: int = SEEDS) -> list[float]:
    """Share of the other photos (0..1) that a head is right on, for each draw of ``each`` photos of every class."""
    inputs = model_inputs(photos.images)
    features, mirrored = features_of(engine, inputs), features_of(engine, inputs[:, :, ::-1])
    everything = Examples(photos.classes, photos.labels, features, mirrored)
    scores = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        own = [np.flatnonzero(photos.labels == label) for label in range(len(photos.classes))]
        learnt = np.concatenate([rng.permutation(rows)[:each] for rows in own])
        others = np.setdiff1d(np.arange(len(photos.labels)), learnt)
        answers = fit(everything.subset(learnt)).logits(features[others]).argmax(1)
        scores.append(float((answers == photos.labels[others]).mean()))
    return scores


def features_of(engine: Engine, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pooled features of all stages, float32 ``[N, F]``, of model inputs uint8 ``[N, H, W, 3]``."""
    batches = (np.ascontiguousarray(inputs[start : start + BATCH]) for start in range(0, len(inputs), BATCH))
    return np.concatenate([engine.infer(batch, (FEATURES,))[FEATURES] for batch in batches])


if __name__ == "__main__":
    raise SystemExit(main())
