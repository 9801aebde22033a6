"""Accuracy, agreement and the Wilson interval, against values worked out by hand or published."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.trust.agreement import accuracy, agreement, wilson_interval


def one_hot(classes: list[int], width: int = 8, height: float = 10.0) -> np.ndarray:
    return np.eye(width, dtype=np.float32)[classes] * np.float32(height)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_interval_has_the_published_values(hits: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(hits, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 5000), share=st.floats(0, 1))
def test_wilson_interval_holds_the_share_inside_0_and_1_and_is_symmetric(n: int, share: float) -> None:
    hits = round(share * n)
    low, high = wilson_interval(hits, n)
    assert 0 <= low <= hits / n + 1e-12
    assert hits / n - 1e-12 <= high <= 1
    assert low < high
    assert wilson_interval(n - hits, n) == (pytest.approx(1 - high), pytest.approx(1 - low))


def test_accuracy_counts_first_and_five_best_answers() -> None:
    logits = np.array(
        [
            [9, 8, 7, 6, 5, 4, 3, 2],  # class 0 is first
            [9, 8, 7, 6, 5, 4, 3, 2],  # class 4 is fifth
            [9, 8, 7, 6, 5, 4, 3, 2],  # class 5 is sixth
            [0, 0, 0, 0, 0, 0, 0, 1],  # class 7 is first
        ],
        np.float32,
    )
    result = accuracy(logits, np.array([0, 4, 5, 7]))
    assert (result.images, result.top1, result.top5) == (4, 0.5, 0.75)


def test_an_engine_agrees_with_itself_completely() -> None:
    logits = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    same = agreement(logits, logits)
    assert (same.images, same.top1, same.top5, same.high) == (40, 1.0, 1.0, 1.0)
    assert (same.mean_drift, same.max_drift, same.mean_kl) == (0.0, 0.0, 0.0)
    assert same.low == pytest.approx(wilson_interval(40, 40)[0])
    assert same.low < 1.0, "forty images do not prove agreement on all images"


def test_agreement_counts_equal_first_answers_whatever_the_confidence() -> None:
    reference = one_hot([0, 1, 2, 3])
    candidate = np.concatenate([one_hot([0, 1], height=0.5), one_hot([5, 3])])
    result = agreement(reference, candidate)
    assert result.top1 == 0.75
    assert (result.low, result.high) == wilson_interval(3, 4)


def test_drift_and_divergence_of_two_known_distributions() -> None:
    # Probabilities (3/4, 1/4) against (1/4, 3/4): KL = 3/4 ln 3 - 1/4 ln 3 = ln(3) / 2.
    reference = np.log(np.array([[3, 1], [1, 1]], np.float32))
    candidate = np.log(np.array([[1, 3], [1, 1]], np.float32))
    result = agreement(reference, candidate)
    assert result.mean_kl == pytest.approx(math.log(3) / 4)
    assert result.max_drift == pytest.approx(0.5)
    assert result.mean_drift == pytest.approx(0.25)


def test_top5_is_the_share_of_common_classes() -> None:
    reference = np.array([[9, 8, 7, 6, 5, 0, 0, 0, 0, 0]], np.float32)
    candidate = np.array([[9, 8, 7, 0, 0, 6, 5, 0, 0, 0]], np.float32)
    assert agreement(reference, candidate).top5 == pytest.approx(3 / 5)


def test_divergence_stays_finite_where_a_probability_vanishes() -> None:
    result = agreement(np.array([[1000, 0]], np.float32), np.array([[0, 1000]], np.float32))
    assert math.isfinite(result.mean_kl)
    assert result.mean_kl > 100


@pytest.mark.parametrize(("a", "b"), [((2, 3), (2, 4)), ((2, 3), (3, 3)), ((0, 3), (0, 3))])
def test_arrays_that_cannot_be_compared_are_refused(a: tuple[int, int], b: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="non-empty"):
        agreement(np.zeros(a, np.float32), np.zeros(b, np.float32))
