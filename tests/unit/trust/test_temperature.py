"""Temperatures make confidences honest on images that did not fit them, and never change an answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from core.models.card import TEMPERATURES, Temperature
from core.recognition.results import softmax, top_scores
from core.trust.temperature import alike, calibration_error, fit_temperature, fitted, fp32_engines


def drawn(count: int, temperature: float, seed: int = 0, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and classes drawn by the probabilities that they give at ``temperature``: then that one is the truth."""
    random = np.random.default_rng(seed)
    logits = (3 * random.normal(size=(count, classes))).astype(np.float32)
    chances = softmax(logits.astype(np.float64) / temperature)
    labels = (chances.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    return logits, labels.astype(np.int64)


@pytest.mark.parametrize("truth", [0.3, 1.0, 4.0])
def test_the_true_temperature_is_found_and_makes_confidences_honest(truth: float) -> None:
    logits, labels = drawn(4000, truth)
    found = fitted(logits[:1000], labels[:1000], "drawn", (logits[1000:], labels[1000:]))
    assert found.value == pytest.approx(truth, rel=0.15)
    assert (found.images, found.judged) == (1000, 3000)
    assert found.error_after <= 0.03
    assert found.error_before == calibration_error(logits[1000:], labels[1000:])
    if truth != 1.0:
        assert found.error_before > 2 * found.error_after


def test_without_others_no_image_judges_what_it_has_fitted() -> None:
    # One half is all right and the other all wrong: what one teaches is as wrong as can be about the other.
    logits, _ = drawn(400, 1.0)
    labels = np.where(np.arange(400) % 2, logits.argmin(axis=1), logits.argmax(axis=1))
    found = fitted(logits, labels, "drawn")
    assert (found.images, found.judged) == (400, 400)
    assert found.error_after > 0.4
    assert fitted(*drawn(400, 0.3), "drawn").error_after < 0.1, "and where both are alike, it is small"


@pytest.mark.parametrize(("right", "end"), [(True, 0), (False, 1)])
def test_images_that_are_all_right_or_all_wrong_leave_a_temperature_that_a_card_takes(right: bool, end: int) -> None:
    logits = np.eye(4, dtype=np.float32)[np.arange(40) % 4] * 5
    labels = (np.arange(40) + (0 if right else 1)) % 4
    value = fit_temperature(logits, labels)
    assert TEMPERATURES[0] <= value <= TEMPERATURES[1]
    if right:
        assert 0.9 < softmax(logits / np.float32(value)).max() < 0.99, "a few images prove no certainty"
    else:
        assert value == pytest.approx(TEMPERATURES[end])


def test_two_engines_are_brought_together_without_a_label() -> None:
    reference, _ = drawn(500, 1.0)
    known = Temperature(value=0.5, images=100, source="", judged=10)
    found = alike(reference * 3, reference, known, "without labels")
    assert found.value == pytest.approx(1.5, rel=1e-3)
    assert (found.images, found.judged, found.source) == (500, 0, "without labels")


@settings(max_examples=60, deadline=None)
@given(
    logits=arrays(np.float32, (3, 7), elements=st.floats(-80, 80, width=32)),
    temperature=st.floats(*TEMPERATURES),
)
def test_no_temperature_changes_an_answer_or_the_order_of_the_five_best(logits: np.ndarray, temperature: float) -> None:
    labels = tuple("abcdefg")
    plain, scaled = top_scores(logits, labels), top_scores(logits, labels, temperature=temperature)
    assert [[one.label for one in top] for top in scaled] == [[one.label for one in top] for top in plain]
    confidences = [one.confidence for top in scaled for one in top]
    assert all(0 <= confidence <= 1 for confidence in confidences)
    for top in scaled:
        assert [one.confidence for one in top] == sorted((one.confidence for one in top), reverse=True)


def test_the_engines_that_share_a_temperature_are_those_of_fp32() -> None:
    assert set(fp32_engines()) == {"pytorch-fp32", "openvino-fp32"}


@pytest.mark.parametrize("value", [0, -1, 1e9, 1e-9, float("nan"), float("inf"), float("-inf"), None, "warm"])
def test_a_temperature_that_makes_no_sense_is_none(value: object) -> None:
    with pytest.raises(ValidationError):
        Temperature.model_validate({"value": value, "images": 10, "source": "", "judged": 10})


def test_calibration_error_is_how_far_confidences_are_from_shares_right() -> None:
    sure = np.array([[9.0, 0.0]] * 4, np.float32)
    assert calibration_error(sure, np.array([0, 0, 0, 0])) == pytest.approx(0, abs=1e-3)
    assert calibration_error(sure, np.array([0, 0, 1, 1])) == pytest.approx(0.5, abs=1e-3)
    assert calibration_error(sure, np.array([1, 1, 1, 1])) == pytest.approx(1, abs=1e-3)
    # One bin of 0.6 to 0.67 that is right in half the cases.
    hesitant = np.log(np.array([[0.65, 0.35]] * 10, np.float32))
    assert calibration_error(hesitant, np.array([0, 1] * 5)) == pytest.approx(0.15, abs=1e-3)
