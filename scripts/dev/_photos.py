"""Labelled photos in folders: what the starter model is trained, calibrated and evaluated on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.images import pixels
from core.images.preprocessing import STANDARD

NO_CLASS = "BACKGROUND_Google"  # Caltech's pictures of anything: they judge "none of these"


@dataclass(frozen=True)
class PhotoFiles:
    """Files with their class indices (int64 ``[N]``), class by class."""

    paths: list[Path]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def at(self, rows: NDArray[np.int64]) -> PhotoFiles:
        """Those at ``rows``, with all classes."""
        return PhotoFiles([self.paths[row] for row in rows], self.labels[rows], self.classes)


@dataclass(frozen=True)
class Photos:
    """Decoded RGB photos with their class indices (int64 ``[N]``)."""

    images: list[Image.Image]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def find_photos(folders: Sequence[Path]) -> PhotoFiles:
    """The files ``FOLDER/CLASS/*`` of all folders; classes are the sorted names, with ``_`` read as a space."""
    names = sorted({path.name for folder in folders for path in folder.iterdir() if path.is_dir()} - {NO_CLASS})
    found = [
        (path, index)
        for index, name in enumerate(names)
        for folder in folders
        if (folder / name).is_dir()
        for path in sorted((folder / name).iterdir())
    ]
    labels = np.array([index for _, index in found], np.int64)
    return PhotoFiles([path for path, _ in found], labels, tuple(name.replace("_", " ") for name in names))


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


def model_inputs(images: Sequence[Image.Image]) -> NDArray[np.uint8]:
    """The standard preprocessing of the app: uint8 ``[N, 224, 224, 3]``."""
    return np.stack([pixels.to_model_input(np.asarray(image), STANDARD) for image in images])
