"""Results: probabilities that add up, the best classes first, and plain frozen values."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.recognition.results import TOP_K, ClassScore, Prediction, Timing, softmax, top_scores

LOGITS = arrays(np.float32, (3, 7), elements=st.floats(-80, 80, width=32))


@settings(max_examples=60, deadline=None)
@given(logits=LOGITS)
def test_softmax_gives_probabilities_in_the_order_of_the_logits(logits: np.ndarray) -> None:
    probabilities = softmax(logits)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities >= 0).all()
    assert np.allclose(
        probabilities, np.exp(np.float64(logits)) / np.exp(np.float64(logits)).sum(1)[:, None], atol=1e-5
    )


@pytest.mark.parametrize("shift", [-1e30, -1e4, 0, 1e4, 1e30])
def test_softmax_neither_overflows_nor_depends_on_a_common_shift(shift: float) -> None:
    probabilities = softmax(np.full((1, 4), shift, np.float32))
    assert probabilities.tolist() == [[0.25] * 4]


@settings(max_examples=60, deadline=None)
@given(logits=LOGITS)
def test_top_scores_are_the_best_classes_best_first(logits: np.ndarray) -> None:
    labels = tuple("abcdefg")
    probabilities = softmax(logits)
    for row, top in zip(probabilities, top_scores(logits, labels), strict=True):
        confidences = [score.confidence for score in top]
        assert len(top) == TOP_K == len({score.label for score in top})
        assert confidences == sorted(confidences, reverse=True)
        assert confidences == [float(row[labels.index(score.label)]) for score in top]
        left_out = [float(row[labels.index(label)]) for label in set(labels) - {score.label for score in top}]
        assert max(left_out) <= confidences[-1]


@pytest.mark.parametrize(("classes", "k", "expected"), [(2, 5, 2), (12, 5, 5), (12, 1, 1)])
def test_there_are_never_more_scores_than_classes(classes: int, k: int, expected: int) -> None:
    labels = tuple(map(str, range(classes)))
    (top,) = top_scores(np.zeros((1, classes), np.float32), labels, k)
    assert [score.label for score in top] == list(labels[:expected]), "ties stay in the order of the classes"


def test_a_prediction_speaks_for_its_best_class_and_an_unreadable_image_for_none() -> None:
    good = Prediction(3, "a.png", (ClassScore("cat", 0.7), ClassScore("dog", 0.2)), "openvino-int8", "starter")
    assert (good.label, good.confidence, good.error) == ("cat", 0.7, None)
    broken = Prediction(4, "b.png", (), "openvino-int8", "starter", error="The PNG is damaged.")
    assert (broken.label, broken.confidence) == ("error", 0.0)
    with pytest.raises(FrozenInstanceError):
        good.index = 5  # type: ignore[misc]


@pytest.mark.parametrize(("images", "seconds", "expected"), [(10, 2.0, 5.0), (0, 2.0, 0.0), (10, 0.0, 0.0)])
def test_throughput_is_images_by_wall_clock_time(images: int, seconds: float, expected: float) -> None:
    timing = Timing(images, seconds, wait_seconds=0.5, infer_seconds=9.0, batch_size=4)
    assert timing.images_per_second == expected
