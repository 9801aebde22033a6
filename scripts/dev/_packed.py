"""Decoded photos of different sizes in one memory-mapped file: training starts at once and shares the page cache."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PIXELS, INDEX, CLASSES = "pixels.bin", "index.npy", "classes.json"


@dataclass(frozen=True)
class PackedPhotos:
    """Photos of a folder that ``pack`` wrote.

    Attributes:
        pixels: uint8, all photos' RGB samples one after the other.
        index: int64 ``[N, 4]``: offset in ``pixels``, height, width, class index.
        classes: names.
    """

    pixels: NDArray[np.uint8]
    index: NDArray[np.int64]
    classes: tuple[str, ...]

    @classmethod
    def open(cls, folder: Path) -> PackedPhotos:
        """Map a folder's photos.

        Raises:
            OSError: there are none.
        """
        pixels = np.memmap(folder / PIXELS, np.uint8, "r")
        classes = tuple(json.loads((folder / CLASSES).read_text(encoding="utf-8")))
        return cls(pixels, np.load(folder / INDEX), classes)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class indices ``[N]``."""
        return self.index[:, 3]

    def image(self, number: int) -> Image.Image:
        """One photo in RGB."""
        offset, height, width, _ = (int(value) for value in self.index[number])
        samples = self.pixels[offset : offset + height * width * 3]
        return Image.fromarray(np.asarray(samples).reshape(height, width, 3))


def pack(folder: Path, photos: Iterable[tuple[Image.Image, int]], classes: tuple[str, ...]) -> int:
    """Write photos with their class indices; their number. The index comes last: without it nothing can be opened."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    rows, offset = [], 0
    with (folder / PIXELS).open("wb") as file:
        for image, label in photos:
            file.write(np.asarray(image).tobytes())
            rows.append((offset, image.height, image.width, label))
            offset += image.height * image.width * 3
    (folder / CLASSES).write_text(json.dumps(classes), encoding="utf-8")
    np.save(folder / INDEX, np.array(rows, np.int64).reshape(-1, 4))
    return len(rows)
