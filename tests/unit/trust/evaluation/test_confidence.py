"""Reliability and coverage, against cases worked out by hand and answers whose calibration is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.trust.evaluation import confidence
from core.trust.share import Share
from tests.unit.trust.evaluation.judgements import judged, random_judged


def made_up(images: int, seed: int, lie: float = 0.0) -> object:
    """Answers that are right as often as they say, or less often by ``lie``."""
    random = np.random.default_rng(seed)
    sure = random.uniform(0.5, 1.0, images)
    right = random.random(images) < sure - lie
    return judged(np.zeros(images, int), np.where(right, 0, 1), sure)


def test_a_small_case_by_hand() -> None:
    # Four at 0.95, three of which are right; two at 0.55, one of which is right.
    found = confidence.reliability(judged([0] * 6, [0, 0, 0, 1, 0, 1], [0.95, 0.95, 0.95, 0.95, 0.55, 0.55]))
    low, high = found.bins
    assert (low.right, high.right) == (Share(1, 2), Share(3, 4))
    assert (low.confidence, high.confidence) == (pytest.approx(0.55), pytest.approx(0.95))
    assert (low.low, low.high) == (pytest.approx(8 / 15), pytest.approx(9 / 15))
    assert found.error == pytest.approx((4 * 0.2 + 2 * 0.05) / 6)
    assert found.error_low <= found.error <= found.error_high
    assert found.confidence == pytest.approx((4 * 0.95 + 2 * 0.55) / 6)


@pytest.mark.parametrize("seed", range(3))
def test_the_bins_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn.calibration import calibration_curve

    answers = random_judged(500, 4, seed)
    found = confidence.reliability(answers, draws=2)
    shares, means = calibration_curve(answers.right, answers.confidence, n_bins=confidence.BINS)
    assert [one.right.value for one in found.bins] == pytest.approx(shares.tolist())
    assert [one.confidence for one in found.bins] == pytest.approx(means.tolist(), abs=1e-6)
    assert sum(one.right.images for one in found.bins) == 500


@pytest.mark.parametrize(("lie", "error"), [(0.0, 0.0), (0.1, 0.1), (0.2, 0.2)])
def test_the_interval_holds_the_true_error(lie: float, error: float) -> None:
    held = 0
    for seed in range(60):
        found = confidence.reliability(made_up(600, seed, lie), draws=200)
        held += found.error_low <= error + 1e-9 and error <= found.error_high
    assert held >= 51, "of 60, of which 57 are expected"


def test_what_chance_alone_would_show_is_told_from_a_lie() -> None:
    honest, lying = (confidence.reliability(made_up(2000, 0, lie)) for lie in (0.0, 0.1))
    assert honest.error <= honest.by_chance
    assert honest.error_low == 0.0
    assert lying.error_low > lying.by_chance * 0.8
    assert confidence.reliability(made_up(50, 0)).by_chance > honest.by_chance, "fewer images, more chance"


def test_a_confidence_of_one_and_of_zero_have_bins() -> None:
    found = confidence.reliability(judged([0, 0], [0, 1], [1.0, 0.0]))
    assert [(one.low, one.high) for one in found.bins] == [(0.0, pytest.approx(1 / 15)), (pytest.approx(14 / 15), 1.0)]
    assert found.error == 0.0


def test_answering_only_sure_ones_by_hand() -> None:
    answers = judged([0] * 5, [0, 0, 0, 1, 1], [0.99, 0.9, 0.8, 0.85, 0.3])
    found = confidence.coverage(answers, 0.8)
    assert (found.answered, found.right) == (Share(4, 5), Share(3, 4))
    assert confidence.coverage(answers, 0.999).right == Share(0, 0), "nothing is answered, and nothing claimed"
    curve = confidence.curve(answers)
    assert [(one.answered.right, one.right.right) for one in curve] == [(5, 3), (4, 3), (3, 2), (2, 2), (1, 1)]
    assert [one.threshold for one in curve] == sorted(one.threshold for one in curve)


@given(st.integers(1, 400), st.integers(0, 2**32 - 1), st.integers(2, 50))
@settings(max_examples=50, deadline=None)
def test_the_curve_is_bounded_ends_in_all_images_and_is_what_its_thresholds_say(
    images: int, seed: int, points: int
) -> None:
    answers = random_judged(images, 3, seed)
    curve = confidence.curve(answers, points)
    assert 1 <= len(curve) <= points
    assert curve[0].answered == Share(images, images)
    for one in curve:
        again = confidence.coverage(answers, one.threshold)
        assert (again.answered, again.right) == (one.answered, one.right)
