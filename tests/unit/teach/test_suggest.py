"""Suggestions, the order of review, and what is like nothing that was taught."""

from __future__ import annotations

import numpy as np
import pytest

from core.recognition.results import THRESHOLD
from core.teach.head import fit
from core.teach.suggest import Suggester, Suggestions, most_similar
from core.trust.known import MOST_EXAMPLES
from tests.unit.teach.clouds import clouds


def suggestions(**columns: list) -> Suggestions:
    count = len(columns["confidences"])
    return Suggestions(
        ("a", "b"),
        np.array(columns.get("indices", range(count))),
        np.array(columns.get("numbers", [0] * count)),
        np.array(columns["confidences"], np.float32),
        np.array(columns.get("margins", columns["confidences"]), np.float32),
        np.array(columns.get("known_scores", [1.0] * count), np.float32),
        0.5,
    )


@pytest.mark.parametrize("each", [20, MOST_EXAMPLES])
def test_images_of_taught_classes_are_named_and_others_are_unknown(each: int) -> None:
    given, new = clouds(3, each, seed=0), clouds(3, 100, seed=1)
    suggester = Suggester(fit(given), given)
    found = suggester.suggest(range(300), new.features)
    assert (found.numbers == new.numbers).mean() > 0.95
    assert found.unknown().mean() < 3 * THRESHOLD
    foreign = np.random.default_rng(5).normal(size=(100, 40)).astype(np.float32) * 3
    assert suggester.suggest(range(100), foreign).unknown().mean() > 0.9
    assert not found.unknown(threshold=0).any()


def test_no_images_are_no_trouble() -> None:
    given = clouds(2, 5, seed=0)
    found = Suggester(fit(given), given).suggest([], np.zeros((0, 40), np.float32))
    assert (len(found.indices), found.review_queue(), found.above("class 0", 0)) == (0, [], [])


def test_the_queue_begins_with_the_least_certain_then_the_most_different() -> None:
    found = suggestions(
        indices=[2, 4, 6, 8],
        confidences=[0.9, 0.6, 0.6, 0.99],
        margins=[0.8, 0.2, 0.21, 0.98],
        known_scores=[0.1, 0.9, 0.2, 0.9],
    )
    assert found.review_queue() == [6, 4, 2, 8]
    assert found.review_queue(labelled=[4, 8]) == [6, 2]


def test_accepting_takes_one_class_above_a_confidence_and_nothing_unknown() -> None:
    found = suggestions(numbers=[0, 0, 1, 0], confidences=[0.9, 0.7, 0.95, 0.95], known_scores=[0.8, 0.8, 0.8, 0.3])
    assert found.above("a", 0.8) == [0]
    assert found.above("a", 0.8, threshold=0.0) == [0, 3]
    assert found.above("b", 0.96) == []
    assert found.above("nobody", 0.0) == []


def test_the_most_similar_come_first_and_never_the_image_itself() -> None:
    given = clouds(3, 10, seed=0)
    assert set(most_similar(given.features, 4, 9)) == set(range(10)) - {4}
    assert most_similar(given.features, 4, 0) == []
    assert len(most_similar(given.features, 4, 1000)) == 29
