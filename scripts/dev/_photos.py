"""Labelled photos in folders: what the starter model is trained, calibrated and evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.engines.engine import FEATURES, LOGITS, Engine
from core.images import pixels
from core.images.preprocessing import STANDARD

_BATCH = 16


@dataclass(frozen=True)
class Photos:
    """Decoded RGB photos with their class indices (int64 ``[N]``); in memory because every epoch reads them all."""

    images: list[Image.Image]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def load_photos(folder: Path) -> Photos:
    """Decode ``folder/CLASS/*``; classes are the sorted folder names, with ``_`` read as a space."""
    files = list_photos(folder)
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(_decode, files.paths))
    return Photos(images, files.labels, files.classes)


@dataclass(frozen=True)
class PhotoFiles:
    """Files of photos with their class indices (int64 ``[N]``)."""

    paths: list[Path]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def some(self, count: int) -> PhotoFiles:
        """``count`` of them, evenly over the classes."""
        return self.at(np.linspace(0, len(self.paths) - 1, min(count, len(self.paths))).astype(int))

    def at(self, rows: NDArray[np.int64]) -> PhotoFiles:
        """Those at ``rows``."""
        return PhotoFiles([self.paths[row] for row in rows], self.labels[rows], self.classes)


def list_photos(folder: Path) -> PhotoFiles:
    """``folder/CLASS/*``; see ``load_photos``."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    files = [(path, index) for index, name in enumerate(names) for path in sorted((folder / name).iterdir())]
    labels = np.array([index for _, index in files], np.int64)
    return PhotoFiles([path for path, _ in files], labels, tuple(name.replace("_", " ") for name in names))


@dataclass(frozen=True)
class Seen:
    """What a network sees in photos: logits float32 ``[N, classes]`` and pooled features float32 ``[N, F]``."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]

    def at(self, rows: NDArray[np.int64]) -> Seen:
        """Those at ``rows``."""
        return Seen(self.logits[rows], self.features[rows])


def look(engine: Engine, paths: Sequence[Path]) -> Seen:
    """Look at photos, a few at a time: they need not fit into memory."""

    def batch(start: int) -> Seen:
        found = engine.infer(
            model_inputs([_decode(path) for path in paths[start : start + _BATCH]]), (LOGITS, FEATURES)
        )
        return Seen(found[LOGITS], found[FEATURES])

    with ThreadPoolExecutor(engine.parallelism) as pool:
        parts = list(pool.map(batch, range(0, len(paths), _BATCH)))
    return Seen(np.concatenate([part.logits for part in parts]), np.concatenate([part.features for part in parts]))


def _decode(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def model_inputs(images: list[Image.Image]) -> NDArray[np.uint8]:
    """The standard preprocessing of the app: uint8 ``[N, 224, 224, 3]``."""
    return np.stack([pixels.to_model_input(np.asarray(image), STANDARD) for image in images])
