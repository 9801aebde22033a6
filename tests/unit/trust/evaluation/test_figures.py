"""The figures of one engine, against scikit-learn, SciPy and cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.trust.evaluation import figures
from core.trust.share import Share
from tests.unit.trust.evaluation.judgements import judged, random_judged

# Two classes by hand: four of class 0, one of which is called 1; two of class 1, one of which is called 0.
SMALL = judged([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.95])


def test_a_small_case_by_hand() -> None:
    assert figures.top_1(SMALL) == Share(4, 6)
    first, second = figures.per_class(SMALL)
    assert (first.place, first.recall, first.precision, first.f1) == (0, Share(3, 4), Share(3, 4), pytest.approx(0.75))
    assert (second.place, second.recall, second.precision) == (1, Share(1, 2), Share(1, 2))
    assert second.f1 == pytest.approx(0.5)
    assert figures.confusion(SMALL, [0, 1]).tolist() == [[3, 1, 0], [1, 1, 0]]
    assert figures.images_of(SMALL, 0, 1) == [3]
    assert [(pair.truth, pair.said, pair.images) for pair in figures.pairs(SMALL)] == [(1, 0, (5,)), (0, 1, (3,))]
    assert figures.worst(SMALL).tolist() == [5, 3], "the surest wrong one first"


@pytest.mark.parametrize("seed", range(5))
def test_shares_of_classes_are_those_of_scikit_learn_and_their_intervals_those_of_scipy(seed: int) -> None:
    from scipy.stats import binomtest
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

    found = random_judged(200, 7, seed)
    assert figures.top_1(found).value == pytest.approx(accuracy_score(found.truth, found.said))
    for one in figures.per_class(found):
        options = {"labels": [one.place], "average": None, "zero_division": 0.0}
        assert one.recall.value == pytest.approx(recall_score(found.truth, found.said, **options)[0])
        assert one.precision.value == pytest.approx(precision_score(found.truth, found.said, **options)[0])
        assert one.f1 == pytest.approx(f1_score(found.truth, found.said, **options)[0])
        interval = binomtest(one.recall.right, one.recall.images).proportion_ci(method="wilson")
        assert (one.recall.low, one.recall.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
        assert one.f1_low <= one.f1 <= one.f1_high
    everything = confusion_matrix(found.truth, found.said, labels=range(7))
    assert np.array_equal(figures.confusion(found, list(range(7)))[:, :-1], everything)


def test_the_interval_of_f1_holds_the_true_one_95_times_of_100() -> None:
    random = np.random.default_rng(0)
    shares = np.array([0.25, 0.10, 0.05, 0.60])  # hits, missed, called so wrongly, neither
    true = 2 * 0.25 / (2 * 0.25 + 0.10 + 0.05)
    kinds = {0: (0, 0), 1: (0, 1), 2: (1, 0), 3: (1, 1)}
    held = 0
    for _ in range(400):
        drawn = random.choice(4, 120, p=shares)
        truth, said = zip(*(kinds[kind] for kind in drawn), strict=True)
        one = figures.per_class(judged(truth, said))[0]
        held += one.f1_low <= true <= one.f1_high
    assert 0.92 <= held / 400 <= 0.98


def test_a_class_that_is_never_right_or_never_there_has_no_figure_out_of_nothing() -> None:
    never_named, never_there = figures.per_class(judged([0, 0], [1, 1]))
    assert (never_named.recall, never_named.precision, never_named.f1) == (Share(0, 2), Share(0, 0), 0.0)
    assert (never_there.recall, never_there.precision) == (Share(0, 0), Share(0, 2))
    assert (never_named.precision.low, never_named.precision.high) == (0.0, 1.0)


@pytest.mark.parametrize(("classes", "known"), [(2, False), (5, False), (6, True)])
def test_top_5_says_nothing_of_a_model_of_five_classes(classes: int, known: bool) -> None:
    found = figures.top_5(random_judged(50, classes, 0), classes)
    assert (found is not None) == known
    if found is not None:
        assert found.images == 50
        assert found.right >= figures.top_1(random_judged(50, classes, 0)).right


def test_rank_and_confidence_of_the_known_class() -> None:
    found = random_judged(300, 12, 3, right=0.3)
    for row in range(300):
        places = np.flatnonzero(found.top[row] == found.truth[row])
        rank = int(places[0]) + 1 if len(places) else 0
        assert found.rank[row] == rank
        expected = found.confidences[row, rank - 1] if rank else 0
        assert figures.known_confidence(found)[row] == expected
    assert set(found.rank.tolist()) == {0, 1, 2, 3, 4, 5}


@given(st.integers(1, 40), st.integers(2, 15), st.integers(2, 12), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_a_part_of_the_matrix_loses_no_image(images: int, classes: int, most: int, seed: int) -> None:
    found = random_judged(images, classes, seed, right=0.4)
    places = figures.most_confused(found, most)
    assert len(places) == len(set(places)) <= max(most, 1)
    assert places == sorted(places)
    counts = figures.confusion(found, places)
    assert counts.sum() == np.isin(found.truth, places).sum()
    assert [int(row.sum()) for row in counts] == [int((found.truth == place).sum()) for place in places]


def test_of_a_thousand_classes_the_worst_pairs_come_first() -> None:
    truth = np.repeat(np.arange(1000), 20)
    said = truth.copy()
    said[17 * 20 : 17 * 20 + 12] = 900
    said[3 * 20 : 3 * 20 + 5] = 4
    said[5 * 20] = 6
    found = judged(truth, said)
    assert [(pair.truth, pair.said, len(pair.images)) for pair in figures.pairs(found)] == [
        (17, 900, 12),
        (3, 4, 5),
        (5, 6, 1),
    ]
    places = figures.most_confused(found, 20)
    assert {17, 900, 3, 4, 5, 6} <= set(places)
    assert len(places) == 20
    assert figures.confusion(found, places).shape == (20, 21)


def test_all_right_has_no_pairs_and_no_worst() -> None:
    found = judged([0, 1, 1], [0, 1, 1])
    assert figures.pairs(found) == ()
    assert figures.worst(found).tolist() == []
    assert figures.most_confused(found, 10) == [0, 1]
