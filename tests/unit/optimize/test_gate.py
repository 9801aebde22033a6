"""The trust gate's verdict."""

from __future__ import annotations

import numpy as np
import pytest

from core.optimize.gate import judge


def logits(classes: list[int]) -> np.ndarray:
    return np.eye(5, dtype=np.float32)[classes] * np.float32(9)


@pytest.mark.parametrize(("flips", "passed"), [(0, True), (1, True), (2, False), (100, False)])
def test_ninety_nine_in_a_hundred_must_agree(flips: int, passed: bool) -> None:
    report = judge(logits([0] * 100), logits([1] * flips + [0] * (100 - flips)))
    assert report.passed is passed
    assert report.agreement.top1 == pytest.approx(1 - flips / 100)


@pytest.mark.parametrize(("asked", "passed"), [(0.9, True), (0.98, True), (0.985, False), (1.0, False)])
def test_the_report_keeps_what_was_asked_for(asked: float, passed: bool) -> None:
    for labels in (None, np.zeros(100, np.int64)):
        report = judge(logits([0] * 100), logits([1] * 2 + [0] * 98), labels, asked)
        assert (report.asked, report.passed) == (asked, passed)


def test_without_labels_there_is_no_accuracy() -> None:
    for labels in (None, np.full(3, -1)):
        report = judge(logits([0, 1, 2]), logits([0, 1, 2]), labels)
        assert (report.fp32, report.int8, report.top1_drop) == (None, None, None)


def test_accuracy_counts_only_images_with_a_known_class() -> None:
    report = judge(logits([0, 1, 2, 3]), logits([0, 1, 3, 0]), np.array([0, 2, 2, -1]))
    assert report.fp32 is not None
    assert report.int8 is not None
    assert (report.fp32.images, report.agreement.images) == (3, 4)
    assert report.fp32.top1 == pytest.approx(2 / 3)
    assert report.int8.top1 == pytest.approx(1 / 3)
    assert report.top1_drop == pytest.approx(1 / 3)
