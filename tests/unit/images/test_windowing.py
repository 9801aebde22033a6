"""Window and level, against the definition written down another way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.images.windowing import apply_window


def by_definition(value: int, low: int, high: int) -> int:
    """DICOM's linear exact function (PS3.3, C.11.2.1.3.2) between the ends of the window, for one value."""
    if value <= low:
        return 0
    if value >= high:
        return 255
    return int(np.rint(255 * (value - low) / (high - low)))


@pytest.mark.parametrize(
    ("low", "high", "values", "expected"),
    [
        (0, 65535, [0, 257, 65535], [0, 1, 255]),
        (1000, 2000, [0, 999, 1000, 1500, 2000, 2001, 65535], [0, 0, 0, 128, 255, 255, 255]),
        (-1000, 1000, [0, 1000], [128, 255]),
        (0, 131070, [0, 65535], [0, 128]),
        (41, 42, [41, 42], [0, 255]),
        (70000, 80000, [0, 65535], [0, 0]),
        (-20, -10, [0, 65535], [255, 255]),
    ],
)
def test_values_of_a_16_bit_image(low: int, high: int, values: list[int], expected: list[int]) -> None:
    shown = apply_window(np.array(values, np.uint16).reshape(1, -1, 1), low, high)
    assert (shown.dtype, shown.shape) == (np.uint8, (1, len(values), 3))
    assert shown[0, :, 0].tolist() == expected
    assert (shown == shown[..., :1]).all(), "grey stays grey"
    inverted = apply_window(np.array(values, np.uint16).reshape(1, -1, 1), low, high, invert=True)
    np.testing.assert_array_equal(inverted, 255 - shown)


@given(
    samples=st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda dtype: arrays.arrays(dtype, st.tuples(st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 3])))
    ),
    low=st.integers(-65535, 131069),
    width=st.integers(1, 70000),
)
@settings(max_examples=80, deadline=None)
def test_any_window_of_any_opaque_image(samples: np.ndarray, low: int, width: int) -> None:
    before = samples.copy()
    shown = apply_window(samples, low, low + width)
    expected = np.vectorize(lambda value: by_definition(int(value), low, low + width))(samples)
    np.testing.assert_array_equal(shown, np.broadcast_to(expected, shown.shape))
    np.testing.assert_array_equal(samples, before), "the image itself must not change"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4])
def test_transparent_parts_stay_white_whatever_the_window(dtype: type[np.unsignedinteger], channels: int) -> None:
    opaque = np.iinfo(dtype).max
    samples = np.full((1, 2, channels), 100, dtype)
    samples[0, 0, -1], samples[0, 1, -1] = 0, opaque
    for invert, seen in ((False, 0), (True, 255)):
        shown = apply_window(samples, 100, 200, invert=invert)
        assert shown[0, 0].tolist() == [255, 255, 255]
        assert shown[0, 1].tolist() == [seen] * 3


@pytest.mark.parametrize(("low", "high"), [(5, 5), (6, 5), (0, -1)])
def test_a_window_without_width_is_refused(low: int, high: int) -> None:
    with pytest.raises(ValueError, match=f"got {low} and {high}"):
        apply_window(np.zeros((1, 1, 1), np.uint8), low, high)
