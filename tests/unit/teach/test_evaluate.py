"""An estimate by examples that were held out: near the truth, honest about little, and able to find wrong labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.base.errors import InvalidRequest
from core.teach.evaluate import FEW, cross_validate
from core.teach.head import Examples, fit
from core.trust.share import Share
from tests.unit.teach.clouds import clouds

SPREAD = 2.2  # classes that overlap


def test_the_estimate_is_near_what_new_images_show() -> None:
    given, new = clouds(4, 60, seed=0, spread=SPREAD), clouds(4, 500, seed=1, spread=SPREAD)
    truth = float((fit(given).logits(new.features).argmax(axis=1) == new.numbers).mean())
    found = cross_validate(given)
    assert 0.5 < truth < 0.97
    assert found.accuracy.value == pytest.approx(truth, abs=0.06)
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    assert found.confusion.sum() == len(given)
    assert np.trace(found.confusion) == found.accuracy.right
    assert [share.images for share in found.per_class] == [60] * 4
    assert [point.examples_per_class for point in found.curve] == [15, 30, 60]
    assert found.notes == ()


def test_labels_that_mean_nothing_are_not_called_good() -> None:
    given = clouds(4, 30, seed=0)
    meaningless = replace(given, numbers=np.random.default_rng(0).permutation(given.numbers))
    assert cross_validate(meaningless, curve=False).accuracy.value < 0.4


def test_no_head_judges_an_image_whose_mirror_image_it_knows() -> None:
    # Features that name each image, and say nothing of its class: whoever knows the mirror image knows the answer.
    numbers = np.tile([0, 1], 20)
    own = np.eye(40, dtype=np.float32)
    assert cross_validate(Examples(("a", "b"), numbers, own, own), curve=False).accuracy.value < 0.8


def test_wrong_labels_come_first() -> None:
    given = clouds(3, 30, seed=0)
    numbers = given.numbers.copy()
    numbers[[5, 40]] = 2, 0
    found = cross_validate(replace(given, numbers=numbers), curve=False).mistakes
    assert {one.row for one in found[:2]} == {5, 40}
    assert {(one.given, one.likely) for one in found[:2]} == {("class 2", "class 0"), ("class 0", "class 1")}
    assert cross_validate(given, curve=False).mistakes == ()


def test_the_class_with_the_most_to_learn_is_named() -> None:
    given = clouds(3, 40, seed=0)
    random = np.random.default_rng(0)
    hard = given.numbers == 1
    features = given.features.copy()
    features[hard] += 3 * random.normal(size=features[hard].shape).astype(np.float32)
    assert cross_validate(replace(given, features=features, mirrored=features)).helps_most == "class 1"


def test_few_examples_are_said_plainly() -> None:
    (note,) = cross_validate(clouds(2, FEW - 1, seed=0), curve=False).notes
    assert note.startswith(f"Fewer than {FEW} examples of class 0, class 1: the estimate is rough.")
    with pytest.raises(InvalidRequest, match="three labelled images of each class; 'class 0' has 2"):
        cross_validate(clouds(2, 2, seed=0))


@pytest.mark.parametrize(("share", "low", "high"), [(Share(0, 0), 0, 1), (Share(10, 10), 0.7, 1)])
def test_intervals_stay_honest(share: Share, low: float, high: float) -> None:
    assert (share.low, share.high) == (pytest.approx(low, abs=0.03), pytest.approx(high, abs=0.001))
