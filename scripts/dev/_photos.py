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

NO_CLASS = "BACKGROUND_Google"  # Caltech's pictures of anything: they judge "none of these"
# What people call a class whose folder is named for those who made the set.
CLASS_NAMES = {
    "Faces": "face in a scene",
    "Faces_easy": "face close up",
    "Leopards": "leopard",
    "Motorbikes": "motorbike",
    "airplanes": "airplane",
    "car_side": "car",
    "cougar_body": "cougar",
    "garfield": "Garfield",
    "snoopy": "Snoopy",
    "water_lilly": "water lily",
}

_BATCH = 16


@dataclass(frozen=True)
class PhotoFiles:
    """Files with their class indices (int64 ``[N]``), class by class."""

    paths: list[Path]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def some(self, count: int) -> PhotoFiles:
        """``count`` of them, evenly over the classes."""
        return self.at(np.linspace(0, len(self.paths) - 1, min(count, len(self.paths))).astype(int))

    def at(self, rows: NDArray[np.int64]) -> PhotoFiles:
        """Those at ``rows``, with all classes."""
        return PhotoFiles([self.paths[row] for row in rows], self.labels[rows], self.classes)


@dataclass(frozen=True)
class Photos:
    """Decoded RGB photos with their class indices (int64 ``[N]``)."""

    images: list[Image.Image]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """What a network sees in photos: logits float32 ``[N, classes]`` and pooled features float32 ``[N, F]``."""

    logits: NDArray[np.float32]
    features: NDArray[np.float32]

    def at(self, rows: NDArray[np.int64]) -> Seen:
        """Those at ``rows``."""
        return Seen(self.logits[rows], self.features[rows])


def find_photos(folders: Sequence[Path]) -> PhotoFiles:
    """The files ``FOLDER/CLASS/*`` of all folders; classes are in the order of the folders' names."""
    names = sorted({path.name for folder in folders for path in folder.iterdir() if path.is_dir()} - {NO_CLASS})
    found = [
        (path, index)
        for index, name in enumerate(names)
        for folder in folders
        if (folder / name).is_dir()
        for path in sorted((folder / name).iterdir())
    ]
    labels = np.array([index for _, index in found], np.int64)
    return PhotoFiles([path for path, _ in found], labels, tuple(map(class_name, names)))


def class_name(folder: str) -> str:
    """What a class is called whose photos are in a folder of this name."""
    return CLASS_NAMES.get(folder, folder.replace("_", " "))


def decode(path: Path) -> Image.Image:
    """The photo in RGB, without its file kept open."""
    with Image.open(path) as image:
        return image.convert("RGB")


def load(files: PhotoFiles) -> Photos:
    """Decode all of them into memory."""
    with ThreadPoolExecutor() as pool:
        return Photos(list(pool.map(decode, files.paths)), files.labels, files.classes)


def load_photos(*folders: Path) -> Photos:
    """Decode ``FOLDER/CLASS/*`` of all folders; see ``find_photos``."""
    return load(find_photos(folders))


def look(engine: Engine, paths: Sequence[Path]) -> Seen:
    """Look at photos, a few at a time: they need not fit into memory."""

    def batch(start: int) -> Seen:
        inputs = model_inputs([decode(path) for path in paths[start : start + _BATCH]])
        found = engine.infer(inputs, (LOGITS, FEATURES))
        return Seen(found[LOGITS], found[FEATURES])

    with ThreadPoolExecutor(engine.parallelism) as pool:
        parts = list(pool.map(batch, range(0, len(paths), _BATCH)))
    return Seen(np.concatenate([part.logits for part in parts]), np.concatenate([part.features for part in parts]))


def model_inputs(images: Sequence[Image.Image]) -> NDArray[np.uint8]:
    """The standard preprocessing of the app: uint8 ``[N, 224, 224, 3]``."""
    return np.stack([pixels.to_model_input(np.asarray(image), STANDARD) for image in images])
