"""Labelled photos in folders: what the starter model is trained, calibrated and evaluated on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.images import pixels
from core.images.preprocessing import STANDARD


@dataclass(frozen=True)
class Photos:
    """Decoded RGB photos with their class indices (int64 ``[N]``); in memory because every epoch reads them all."""

    images: list[Image.Image]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def load_photos(folder: Path) -> Photos:
    """Decode ``folder/CLASS/*``; classes are the sorted folder names, with ``_`` read as a space."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    files = [(path, index) for index, name in enumerate(names) for path in sorted((folder / name).iterdir())]

    def decode(path: Path) -> Image.Image:
        with Image.open(path) as image:
            return image.convert("RGB")

    with ThreadPoolExecutor() as pool:
        images = list(pool.map(decode, [path for path, _ in files]))
    labels = np.array([index for _, index in files], np.int64)
    return Photos(images, labels, tuple(name.replace("_", " ") for name in names))


def model_inputs(images: list[Image.Image]) -> NDArray[np.uint8]:
    """The standard preprocessing of the app: uint8 ``[N, 224, 224, 3]``."""
    return np.stack([pixels.to_model_input(np.asarray(image), STANDARD) for image in images])
