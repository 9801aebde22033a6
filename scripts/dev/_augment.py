"""Batches to train on: which photos, random crops, flips and colours, all from the step's number alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.images.preprocessing import STANDARD
from scripts.dev._packed import PackedPhotos

CROP_SCALE = (0.3, 1.0)  # area of the random crop, as a fraction of the photo
CROP_RATIO = (3 / 4, 4 / 3)
JITTER = 0.3  # brightness, contrast and saturation factors are drawn from 1 +- JITTER
AHEAD = 4  # batches prepared while the network learns

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]  # crops [B, side, side, 3], class indices [B]
Prepared = TypeVar("Prepared")


class Sampler:
    """Draws photos so that a class of n photos comes up in proportion to n ** ``balance``: 1 as they are, 0 evenly."""

    def __init__(self, photos: PackedPhotos, balance: float) -> None:
        counts = np.bincount(photos.labels, minlength=len(photos.classes)).astype(float)
        weights = counts[photos.labels] ** (balance - 1)
        self._photos = photos
        self._order = np.argsort(photos.labels, kind="stable")
        self._upto = np.cumsum(weights[self._order]) / weights.sum()

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Numbers of photos, int64 ``[count]``: one from each of so many equal shares, so that batches are alike."""
        places = (np.arange(count) + rng.random(count)) / count
        found = np.searchsorted(self._upto, places).clip(max=len(self._order) - 1)
        numbers: NDArray[np.int64] = self._order[found]
        return numbers

    def batch(self, count: int, side: int, rng: np.random.Generator) -> Batch:
        """So many crops with their classes."""
        chosen = self.draw(count, rng)
        crops = np.stack([random_crop(self._photos.image(number), side, rng) for number in chosen])
        return crops, self._photos.labels[chosen]


def random_crop(image: Image.Image, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A random resized crop, flipped half of the time: uint8 ``[side, side, 3]`` (Inception's scheme)."""
    width, height = image.size
    for _ in range(10):
        area = width * height * rng.uniform(*CROP_SCALE)
        ratio = math.exp(rng.uniform(math.log(CROP_RATIO[0]), math.log(CROP_RATIO[1])))
        crop_w, crop_h = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if crop_w <= width and crop_h <= height:
            break
    else:
        crop_w = crop_h = float(min(width, height))
    left, top = rng.uniform(0, width - crop_w), rng.uniform(0, height - crop_h)
    box = (left, top, left + crop_w, top + crop_h)
    pixels = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box=box))
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


def network_inputs(crops: NDArray[np.uint8], generator: Any = None) -> Any:
    """Normalised float32 ``[B, 3, H, W]`` (channels last) of uint8 ``[B, H, W, 3]``; jittered by a torch generator."""
    import torch

    images = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    if generator is not None:
        images = colour_jitter(images, generator)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (STANDARD.mean, STANDARD.std))
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def colour_jitter(images: Any, generator: Any) -> Any:
    """Random brightness, contrast and saturation per image; ``images`` is float ``[B, 3, H, W]`` in 0..1."""
    import torch

    def factor() -> Any:
        return 1 + (torch.rand(len(images), 1, 1, 1, generator=generator) * 2 - 1) * JITTER

    images = images * factor()
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * factor()
    grey = images.mean(dim=1, keepdim=True)
    return (grey + (images - grey) * factor()).clamp(0, 1)


def ahead(prepare: Callable[[int], Prepared], first: int, end: int) -> Iterator[Prepared]:
    """``prepare(step)`` of the steps ``first`` to ``end - 1`` in order, made ahead by one thread."""
    with ThreadPoolExecutor(1) as pool:
        pending = [pool.submit(prepare, step) for step in range(first, min(first + AHEAD, end))]
        for step in range(first, end):
            prepared = pending.pop(0).result()
            if step + AHEAD < end:
                pending.append(pool.submit(prepare, step + AHEAD))
            yield prepared
