"""The head is one linear layer that names the examples' classes, and says plainly where there are too few."""

from __future__ import annotations

import numpy as np
import pytest

from core.base.errors import InvalidRequest
from core.teach.head import Examples, Head, examples, fit
from tests.unit.teach.clouds import clouds


def right(head: Head, given: Examples) -> float:
    return float((head.logits(given.features).argmax(axis=1) == given.numbers).mean())


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_a_head_learns_what_there_is_to_learn(classes: int) -> None:
    learn, judge = clouds(classes, 20, seed=0), clouds(classes, 50, seed=1)
    head = fit(learn)
    assert head.weight.shape == (classes, learn.features.shape[1])
    assert (head.weight.dtype, head.bias.dtype) == (np.float32, np.float32)
    assert right(head, judge) > 0.95
    shuffled = Examples(learn.classes, np.roll(learn.numbers, len(learn) // 2 + 7), learn.features, learn.mirrored)
    assert right(fit(shuffled), judge) < 0.9  # it learns from the labels, not from the order


def test_probabilities_of_two_classes_are_those_of_the_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    given = clouds(2, 15, seed=3)
    head = fit(given)
    both = head.standardised(np.concatenate([given.features, given.mirrored]))
    own = LogisticRegression(C=0.05, tol=1e-6, max_iter=1000).fit(both, np.tile(given.numbers, 2))
    expected = own.predict_proba(head.standardised(given.features))
    np.testing.assert_allclose(head.probabilities(given.features), expected, atol=0.01)


def test_features_that_never_change_and_features_of_any_scale_do_no_harm() -> None:
    given, judge = clouds(3, 20, seed=0), clouds(3, 50, seed=1)
    scale = np.geomspace(1e-3, 1e3, given.features.shape[1], dtype=np.float32)

    def scaled(one: Examples) -> Examples:
        constant = np.full((len(one), 1), 7, np.float32)
        return Examples(
            one.classes,
            one.numbers,
            np.hstack([one.features * scale, constant]),
            np.hstack([one.mirrored * scale, constant]),
        )

    head = fit(scaled(given))
    assert np.isfinite(head.weight).all()
    assert right(head, scaled(judge)) == pytest.approx(right(fit(given), judge), abs=0.02)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_fit_that_starts_from_the_last_one_comes_to_the_same(classes: int) -> None:
    given = clouds(classes, 30, seed=0)
    before = fit(given.subset(np.arange(1, len(given))))
    cold, warm = fit(given), fit(given, before)
    np.testing.assert_allclose(warm.probabilities(given.features), cold.probabilities(given.features), atol=0.05)


def test_a_head_of_other_classes_is_no_start() -> None:
    given = clouds(3, 20, seed=0)
    start = fit(clouds(2, 20, seed=0))
    np.testing.assert_array_equal(fit(given, start).weight, fit(given).weight)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 5, "at least 2 classes"),
        ([], "at least 2 classes"),
        (["a", "a", "b"], "The class 'b' has 1 labelled image that can be read"),
    ],
)
def test_too_few_examples_are_said_plainly(labels: list[str], message: str) -> None:
    features = np.zeros((len(labels), 4), np.float32)
    with pytest.raises(InvalidRequest, match=message):
        fit(examples(("a", "b", "c"), labels, features, features))


def test_classes_without_examples_are_left_out_and_the_order_stays() -> None:
    features = np.zeros((4, 2), np.float32)
    given = examples(("c", "empty", "a"), ["a", "c", "a", "c"], features, features)
    assert (given.classes, given.numbers.tolist()) == (("c", "a"), [1, 0, 1, 0])
