"""Copies show the same things otherwise, and are the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.teach.copies import SHIFT, lit, shifted

INPUTS = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), dtype=np.uint8)


@pytest.mark.parametrize("make", [lit, shifted])
def test_every_image_has_a_copy_of_its_own_by_the_seed_alone(make: Callable[..., np.ndarray]) -> None:
    before = INPUTS.copy()
    made = make(INPUTS, 1)
    assert (made.shape, made.dtype) == (INPUTS.shape, np.uint8)
    assert np.array_equal(INPUTS, before)
    assert np.array_equal(made, make(INPUTS, 1))
    assert not np.array_equal(made, make(INPUTS, 2))
    assert not any(np.array_equal(one, other) for one, other in zip(made, INPUTS, strict=True))


def test_light_keeps_the_order_of_values_and_their_range() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8)[None, None, :, None], (5, 2, 1, 3))
    for image in lit(ramp, 0):
        steps = np.diff(image[0, :, 0].astype(int))
        assert steps.min() >= 0, "white does not become black"
        assert steps.max() <= 2


def test_a_shift_moves_no_further_than_it_may() -> None:
    dot = np.zeros((20, 101, 101, 3), np.uint8)
    dot[:, 50, 50] = 255
    for image in shifted(dot, 0):
        ((down, right),) = np.argwhere(image[..., 0])
        assert abs(down - 50) <= SHIFT
        assert abs(right - 50) <= SHIFT
