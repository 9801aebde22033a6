"""What passes as known, against cases worked out by hand and scikit-learn's own answer to simulated scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.recognition.results import ClassScore, Prediction
from core.trust.evaluation.answers import Judged, KeptAnswers
from core.trust.evaluation.charts import known_chart, svg
from core.trust.evaluation.known import KnownClasses, match
from core.trust.evaluation.known_scores import area, can_tell, passing
from core.trust.evaluation.report import EvaluationReport
from core.trust.evaluation.sentences import known_sentence
from core.trust.share import Share
from tests.unit.trust.evaluation.judgements import judged
from tests.unit.trust.evaluation.test_report import evaluation


def scored(known: list[float], foreign: list[float]) -> Judged:
    answers = judged([0] * len(known), [0] * len(known))
    return replace(answers, known_scores=np.array(known, np.float32), foreign_scores=np.array(foreign, np.float32))


def test_what_passes_by_hand() -> None:
    found = scored([0.04, 0.05, 0.5, 0.9], [0.0, 0.01, 0.06])
    at = {one.threshold: (one.known, one.foreign) for one in passing(found)}
    assert at[0.0] == (Share(4, 4), Share(3, 3))
    assert at[0.05] == (Share(3, 4), Share(1, 3)), "at the threshold itself an image is known, as in recognition"
    assert at[1.0] == (Share(0, 4), Share(0, 3))
    shares = [one.known.right for one in passing(found)]
    assert shares == sorted(shares, reverse=True)


def test_the_area_by_hand_and_none_where_nothing_is_foreign() -> None:
    found = area(scored([0.2, 0.8], [0.1, 0.5]))
    assert found is not None
    assert found.value == 0.75, "three of the four pairs are in order"
    assert 0 <= found.low < 0.75 < found.high <= 1
    assert area(scored([0.2], [])) is None
    assert area(judged([0], [0])) is None
    assert not can_tell(judged([0], [0])), "a model that gives no scores"


def test_the_interval_holds_the_true_area() -> None:
    held = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        known, foreign = random.normal(1, 1, 150), random.normal(0, 1, 60)
        squashed = [(1 / (1 + np.exp(-values))).tolist() for values in (known, foreign)]
        found = area(scored(*squashed))
        assert found is not None
        held += found.low <= 0.7602 <= found.high  # Phi(1 / sqrt 2)
    assert held >= 88, "of 100, of which 95 are expected"


def test_images_of_other_labels_are_scored_and_not_judged() -> None:
    found = match(KnownClasses({0: "cat", 1: "zebra", 3: "dog", 2: "zebra"}, "labels"), ("cat", "dog"), "m")
    assert found.strangers == (1, 2)
    assert 1 not in found.truth
    kept = KeptAnswers(4, found.classes)
    for index, score in enumerate((0.9, 0.1, None, 0.4)):
        kept.add([Prediction(index, "x.png", (ClassScore("cat", 0.9),), "openvino-int8", "m", known_score=score)])
    answers = kept.of(found.truth, found.strangers)
    assert answers.images.tolist() == [0, 3]
    assert answers.known_scores.tolist() == pytest.approx([0.9, 0.4])
    assert answers.foreign_scores.tolist() == pytest.approx([0.1]), "without a score there is nothing to count"


@pytest.mark.parametrize("foreign", [[], [0.01, 0.02, 0.3]], ids=["no foreign", "foreign"])
def test_report_sentence_and_chart_say_the_same(foreign: list[float]) -> None:
    found = scored([0.03, 0.5, 0.6, 0.7], foreign)
    report = EvaluationReport.of(evaluation([found], ("cat", "dog"), tuple("abcd")))
    known = report.runs[0].known
    assert known is not None
    assert (known.images, known.foreign) == (4, len(foreign))
    assert EvaluationReport.model_validate_json(report.model_dump_json()) == report
    sentence = known_sentence(known, 0.05)
    assert "At a threshold of 0.05, 75.0%" in sentence
    assert ("33.3%" in sentence) == bool(foreign)
    assert ("ROC" in sentence) == bool(foreign)
    assert ("label is no class" in svg(known_chart(known))) == bool(foreign)
    assert "<script" not in svg(known_chart(known))


def test_a_model_that_cannot_tell_has_no_curve() -> None:
    report = EvaluationReport.of(evaluation([judged([0], [0])], ("cat", "dog"), ("a",)))
    assert report.runs[0].known is None
