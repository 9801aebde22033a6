"""Large frames are reckoned with a few rows at a time, and come to the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.images.formats.format import by_strips


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 1), (7, 5, 3), (64, 3, 1), (3, 64, 1), (0, 4, 1)])
def test_it_comes_to_the_same_as_all_at_once_and_never_takes_more_at_a_time(shape: tuple[int, ...]) -> None:
    samples = np.random.default_rng(0).integers(0, 2**16, shape, np.uint16)
    seen: list[int] = []

    def work(band: NDArray[Any]) -> NDArray[Any]:
        seen.append(band.size)
        return band.astype(np.int64) * 2 - 7

    made = by_strips(samples, np.int32, work, strip_pixels=32 // shape[2])
    assert made.dtype == np.int32
    assert np.array_equal(made, samples.astype(np.int64) * 2 - 7)
    assert sum(seen) == samples.size
    assert max(seen, default=0) <= max(32, samples[:1].size), "more than a row only as far as it is allowed"
