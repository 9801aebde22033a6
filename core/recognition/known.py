"""Whether an image is like those a model was taught on, or shows none of its classes.

Features are standardised, and turned into the axes along which images of one class differ, with equal spread along
each; then only their direction counts. How like an image is to what is known is its mean cosine to the nearest
references: the classes' means, or the examples themselves where there are few. With many images, how far the features
of the network's early stages are from their class's mean is subtracted: they see what kind of picture it is.
docs/models.md has what else was measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ModelError
from core.models.card import KNOWN_NAME, check_file
from core.models.model import Model
from core.models.weight_files import safetensors
from core.models.weight_files.tensors import BadFile, Stored

LEVELS = 99  # shares 0.01 to 0.99
_SHARES = np.arange(1, LEVELS + 1) / (LEVELS + 1)
_LEAST_STEP, _LEAST_REST = 1e-6, 1e-6  # a threshold of 1 keeps nothing
_MOST_REFERENCES = 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the images that a model was taught on. Float32.

    Attributes:
        mean: of their features, ``[F]``.
        scale: one over their spread, ``[F]``; 0 leaves a feature out.
        axes: ``[F, K]``; None where every feature is an axis of its own.
        references: unit rows ``[R, K]``.
        nearest: the mean goes over so many of them.
        early_axes: ``[E, E]``, of the first ``E`` standardised features; None where only directions count.
        early_means: the classes' means along them, ``[C, E]``.
        early_weight: what a distance of one along them takes from a cosine.
        levels: likeness that 1% to 99% of known images stay below, ``[LEVELS]``, ascending.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    axes: NDArray[np.float32] | None
    references: NDArray[np.float32]
    nearest: int
    levels: NDArray[np.float32]
    early_axes: NDArray[np.float32] | None = None
    early_means: NDArray[np.float32] | None = None
    early_weight: float = 0.0

    def likeness(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """How like features ``[N, F]`` are to what is known, ``[N]``: a cosine, or less than one."""
        standardised: NDArray[np.float32] = (features - self.mean) * self.scale
        turned = standardised if self.axes is None else standardised @ self.axes
        likeness = mean_of_largest(unit_rows(turned) @ self.references.T, self.nearest)
        if self.early_axes is None or self.early_means is None:
            return likeness
        return likeness - np.float32(self.early_weight) * self._early_distance(standardised)

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Share of known images that are less like the references, 0..1, ``[N]``: higher is more known.

        It means the same for every model. Between the levels it is interpolated, and beyond them it goes on towards 0
        and 1, so that what is less known has a lower score also where no known image is.
        """
        likeness = self.likeness(features).astype(np.float64)
        low, high = float(self.levels[0]), float(self.levels[-1])
        step = max(high - low, _LEAST_STEP) / LEVELS
        beyond = np.maximum(np.maximum(low - likeness, likeness - high), 0)
        rest = np.exp(-beyond / step) / (LEVELS + 1)
        scores = np.interp(likeness, self.levels, _SHARES)
        return np.where(likeness < low, rest, np.where(likeness > high, 1 - np.maximum(rest, _LEAST_REST), scores))

    def _early_distance(self, standardised: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self.early_axes is not None  # noqa: S101
        assert self.early_means is not None  # noqa: S101
        rows = standardised[:, : len(self.early_axes)] @ self.early_axes
        return distance_to_nearest(rows, self.early_means)


def levels_of(likeness: NDArray[np.float32]) -> NDArray[np.float32]:
    """``Known.levels`` by the likeness ``[N]`` of known images that are no references.

    Of few images the least like is not as unlike as they come: another one is less like with a probability of
    1 / (N + 1). Below it the levels go on as those of an exponential tail through it and the median.
    """
    levels: NDArray[np.float64] = np.quantile(likeness.astype(np.float64), _SHARES)
    least = 1 / (len(likeness) + 1)
    if len(likeness) > 1 and (beyond := least > _SHARES).any():
        lowest = float(likeness.min())
        scale = (float(np.median(likeness)) - lowest) / math.log(0.5 / least)
        levels[beyond] = lowest - scale * np.log(least / _SHARES[beyond])
    return levels.astype(np.float32)


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows ``[N, K]`` of length 1, but for zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: NDArray[np.float32] = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
    return units


def mean_of_largest(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Mean of the ``count`` largest of each row ``[N, R]``, or of all where there are fewer."""
    count = min(count, values.shape[1])
    found: NDArray[np.float32] = np.partition(values, -count, axis=1)[:, -count:].mean(axis=1)
    return found


def distance_to_nearest(rows: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance of each row ``[N, E]`` to the nearest of ``places`` ``[C, E]``, ``[N]``."""
    squares = (rows**2).sum(axis=1)[:, None] - 2 * rows @ places.T + (places**2).sum(axis=1)
    found: NDArray[np.float32] = np.sqrt(np.maximum(squares.min(axis=1), 0))
    return found


def write_known(known: Known, path: Path) -> None:
    """Write it to a new file beside a model's card.

    Raises:
        OSError: it cannot be written.
    """
    arrays: dict[str, NDArray[np.generic]] = {
        "mean": known.mean,
        "scale": known.scale,
        "references": known.references.astype(np.float16),
        "nearest": np.array([known.nearest], np.float32),
        "levels": known.levels,
    }
    if known.axes is not None:
        arrays["axes"] = known.axes.astype(np.float16)
    if known.early_axes is not None and known.early_means is not None:
        arrays["early_axes"], arrays["early_means"] = known.early_axes, known.early_means
        arrays["early_weight"] = np.array([known.early_weight], np.float32)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    tensors = {
        name: Stored(array.dtype.name, array.shape, 0, tuple(step // array.itemsize for step in array.strides))
        for name, array in arrays.items()
    }
    with path.open("xb") as file:
        safetensors.write(file, tensors, arrays.__getitem__)


def known_of(model: Model) -> Known | None:
    """What is known of a model's images; None where its card says nothing of them.

    Raises:
        ModelError: the file is missing, damaged, or not that of the card.
    """
    if model.card.known is None:
        return None
    path = check_file(model.folder / KNOWN_NAME, model.card)
    return _read(path, model.card.checksums[KNOWN_NAME], model.features, model.card.name)


@lru_cache(maxsize=8)
def _read(path: Path, checksum: str, width: int, name: str) -> Known:
    """``checksum`` is the file's: another file of that name is read anew."""
    damaged = ModelError(f"{path.name} of the model {name} is damaged; install it again.")
    try:
        with path.open("rb") as file:
            tensors = safetensors.describe(file, path.stat().st_size)
            if any(len(one.shape) > 2 or max(one.shape, default=0) > _MOST_REFERENCES for one in tensors.values()):
                raise damaged
            arrays = {key: one.read(file).astype(np.float32) for key, one in tensors.items()}
    except (BadFile, OSError) as error:
        raise damaged from error
    if not _fits(arrays, width):
        raise damaged
    return Known(
        mean=arrays["mean"],
        scale=arrays["scale"],
        axes=arrays.get("axes"),
        references=unit_rows(arrays["references"]),
        nearest=int(arrays["nearest"][0]),
        levels=arrays["levels"],
        early_axes=arrays.get("early_axes"),
        early_means=arrays.get("early_means"),
        early_weight=float(arrays["early_weight"][0]) if "early_weight" in arrays else 0.0,
    )


def _fits(arrays: dict[str, NDArray[np.float32]], width: int) -> bool:
    """Whether a file's arrays are those of a ``Known`` over ``width`` features, and make sense."""
    if not {"mean", "scale", "references", "nearest", "levels"} <= set(arrays):
        return False
    axes, references = arrays.get("axes"), arrays["references"]
    depth = width if axes is None else axes.shape[-1]
    return (
        all(np.isfinite(array).all() for array in arrays.values())
        and arrays["mean"].shape == arrays["scale"].shape == (width,)
        and (axes is None or axes.shape == (width, depth))
        and references.ndim == 2
        and references.shape[1] == depth
        and len(references) > 0
        and arrays["nearest"].shape == (1,)
        and 1 <= arrays["nearest"][0] <= len(references)
        and arrays["levels"].shape == (LEVELS,)
        and bool((np.diff(arrays["levels"]) >= 0).all())
        and _early_fits(arrays, width)
    )


def _early_fits(arrays: dict[str, NDArray[np.float32]], width: int) -> bool:
    parts = [arrays[name] for name in ("early_axes", "early_means", "early_weight") if name in arrays]
    if len(parts) < 3:
        return not parts
    axes, means, weight = parts
    return (
        axes.ndim == means.ndim == 2
        and 0 < len(axes) <= width
        and axes.shape == (len(axes), means.shape[1])
        and len(means) > 0
        and weight.shape == (1,)
        and weight[0] >= 0
    )
