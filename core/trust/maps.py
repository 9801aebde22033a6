"""Class activation maps: how much each place of an image speaks for a class (Zhou et al. 2016, arXiv:1512.04150).

The networks here end in the mean over the area of their stages' outputs and one linear layer. A mean and a linear layer
may change places, so the layer applied to every place gives a map whose mean, with the bias, *is* the logit: nothing is
estimated, and it costs one small matrix product. A head over several stages gives the sum of a map for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.base.errors import MapsUnavailable
from core.engines.engine import Stage, map_name

MOST_PLACES = 64  # on a side of a map; finer ones of large model inputs are averaged, so that an answer stays small

Maps = NDArray[np.float32]
"""float32 ``[classes, rows, columns]``, in logits: a map's mean, plus its class's bias, is the logit."""


def outputs_for_maps(stages: Sequence[Stage], width: int) -> tuple[str, ...]:
    """Which outputs of an engine a head of ``width`` features looks at: its last stages, first to last.

    Raises:
        MapsUnavailable: they are not known, or the head looks at something else.
    """
    for first in range(len(stages)):
        if sum(stage.channels for stage in stages[first:]) == width:
            return tuple(map_name(number) for number in range(first + 1, len(stages) + 1))
    raise MapsUnavailable("Where it looked cannot be shown: this model's network has no stages to make maps of.")


def class_maps(stages: Sequence[NDArray[np.float32]], weight: NDArray[np.float32]) -> Maps:
    """The maps of some classes for one image, as fine as the finest stage.

    Args:
        stages: outputs of the stages that the head looks at, each float32 ``[channels, rows, columns]``, first to last.
        weight: of the classes' rows of the head, float32 ``[classes, sum of channels]``.

    Raises:
        ValueError: the head takes another number of features.
    """
    channels = [stage.shape[0] for stage in stages]
    if sum(channels) != weight.shape[1]:
        raise ValueError(f"expected a head over {sum(channels)} features, got {weight.shape[1]}")
    parts = np.split(weight, np.cumsum(channels)[:-1], axis=1)
    rows, columns = (min(MOST_PLACES, max(stage.shape[axis] for stage in stages)) for axis in (1, 2))
    total = np.zeros((len(weight), rows, columns), np.float32)
    for stage, part in zip(stages, parts, strict=True):
        total += resampled(np.tensordot(part, stage, axes=1), rows, columns)
    return total


def maps_of(
    outputs: Mapping[str, NDArray[np.float32]], place: int, names: Sequence[str], weight: NDArray[np.float32]
) -> Maps:
    """``class_maps`` of the image at ``place`` of a batch, from what an engine gave for the outputs ``names``."""
    return class_maps([outputs[name][place] for name in names], weight)


def resampled(maps: Maps, rows: int, columns: int) -> Maps:
    """Maps on another grid over the same area: each new place has the mean of what it covers, so means stay."""
    if maps.shape[1:] == (rows, columns):
        return maps
    down, across = _shares(maps.shape[1], rows), _shares(maps.shape[2], columns)
    made: Maps = np.einsum("rR,kRC,cC->krc", down, maps, across, optimize=True).astype(np.float32)
    return made


def _shares(before: int, after: int) -> NDArray[np.float64]:
    """Which share of each new interval lies in each old one, ``[after, before]``; every row sums up to 1."""
    old, new = np.linspace(0, 1, before + 1), np.linspace(0, 1, after + 1)
    covered = np.minimum(new[1:, None], old[None, 1:]) - np.maximum(new[:-1, None], old[None, :-1])
    shares: NDArray[np.float64] = np.maximum(covered, 0) * after
    return shares
