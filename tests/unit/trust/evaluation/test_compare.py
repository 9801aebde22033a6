"""Paired comparisons: against published values, against SciPy, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from core.trust.evaluation.compare import compare_runs, paired_interval
from tests.unit.trust.evaluation.judgements import judged

CLASSES = ("cat", "dog", "cow")


def test_the_interval_has_the_published_value() -> None:
    # Newcombe 1998, table of examples: 36 both, 12 and 2 one alone, none neither; method 10: 0.0569 to 0.3404.
    low, high = paired_interval(36, 2, 12, 0)
    assert (low, high) == (pytest.approx(0.0569, abs=5e-5), pytest.approx(0.3404, abs=5e-5))
    assert paired_interval(36, 12, 2, 0) == (pytest.approx(-high), pytest.approx(-low))


@pytest.mark.parametrize("counts", [(0, 0, 0, 1), (1, 0, 0, 0), (0, 1, 0, 0), (0, 3, 3, 0), (50, 0, 0, 50)])
def test_the_interval_of_extremes_stays_a_difference_of_shares(counts: tuple[int, int, int, int]) -> None:
    low, high = paired_interval(*counts)
    images = sum(counts)
    assert -1 <= low <= (counts[2] - counts[1]) / images <= high <= 1
    assert low < high


def test_the_interval_holds_the_true_difference_95_times_of_100() -> None:
    random = np.random.default_rng(0)
    shares = (0.80, 0.02, 0.06, 0.12)
    held = 0
    for _ in range(2000):
        low, high = paired_interval(*random.multinomial(150, shares))
        held += low <= 0.04 <= high
    assert 0.93 <= held / 2000 <= 0.98


def test_a_small_case_by_hand() -> None:
    truth = [0, 0, 0, 0, 1, 1, 1, 2]
    first = judged(truth, [0, 0, 0, 1, 1, 1, 0, 0])
    second = judged(truth, [0, 0, 1, 0, 1, 0, 0, 1])
    found = compare_runs(first, CLASSES, second, CLASSES)
    assert found is not None
    assert (found.images, found.both_right, found.both_wrong) == (8, 3, 2)
    assert (found.first_only, found.second_only) == ((2, 5), (3,))
    assert found.difference == pytest.approx(-1 / 8)
    assert (found.same.right, found.same.images) == (4, 8)
    flips = {(one.truth, one.first, one.second): one.images for one in found.flips}
    assert flips == {
        ("cat", "cat", "dog"): (2,),
        ("cat", "dog", "cat"): (3,),
        ("cow", "cat", "dog"): (7,),
        ("dog", "dog", "cat"): (5,),
    }


@pytest.mark.parametrize(("only", "other"), [(0, 1), (1, 1), (0, 6), (2, 9), (5, 30), (300, 360)])
def test_mcnemars_test_is_the_binomial_one(only: int, other: int) -> None:
    truth = [0] * (only + other + 4)
    first = judged(truth, [0] * only + [1] * other + [0] * 4)
    second = judged(truth, [1] * only + [0] * other + [0] * 4)
    found = compare_runs(first, CLASSES, second, CLASSES)
    assert found is not None
    expected = min(1.0, 2 * binom.cdf(min(only, other), only + other, 0.5))
    assert found.p_value == pytest.approx(expected, rel=1e-6)


def test_two_that_are_alike_differ_by_nothing() -> None:
    one = judged([0, 1, 2], [0, 1, 1])
    found = compare_runs(one, CLASSES, one, CLASSES)
    assert found is not None
    assert (found.p_value, found.difference, found.flips) == (1.0, 0.0, ())
    assert found.low < 0 < found.high, "three images prove nothing"


def test_models_of_other_classes_are_compared_by_name_where_both_were_judged() -> None:
    first = judged([0, 0, 1], [0, 1, 1], images=0)  # images 0 to 2
    second = judged([2, 1, 0], [2, 2, 0], images=1)  # images 1 to 3
    found = compare_runs(first, CLASSES, second, ("goat", "dog", "cat"))
    assert found is not None
    assert found.images == 2, "images 1 and 2"
    assert [(one.truth, one.first, one.second) for one in found.flips] == [("cat", "dog", "cat"), ("dog", "dog", "cat")]
    assert (found.first_only, found.second_only) == ((2,), (1,))
    assert compare_runs(first, CLASSES, judged([0], [0], images=9), CLASSES) is None
