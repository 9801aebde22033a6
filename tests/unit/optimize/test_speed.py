"""Two engines' speed: the slower one is told from the faster, and one engine not from itself."""

from __future__ import annotations

import time

import pytest

from core.base.errors import Cancelled
from core.optimize.speed import PAIRS, SpeedComparison, compare_speed
from tests.helpers import FakeEngine


def test_the_slower_engine_is_told() -> None:
    fast = FakeEngine(before=lambda batch: time.sleep(0.001))
    slow = FakeEngine(before=lambda batch: time.sleep(0.05))  # whatever else runs
    found = compare_speed(fast, slow)
    assert found.high < 1
    assert found.before > found.after
    assert "slower by" in found.sentence
    assert len(slow.batch_sizes) == slow.parallelism * (PAIRS + 1)


def test_what_cannot_be_told_is_not_claimed() -> None:
    same = SpeedComparison(100.0, 104.0, 1.04, 0.97, 1.09)
    assert "no difference that this measurement can tell (95% interval -3% to +9%)" in same.sentence
    assert "faster" not in same.sentence
    faster = SpeedComparison(100.0, 150.0, 1.5, 1.2, 1.7)
    assert "faster by 50% (95% interval +20% to +70%)" in faster.sentence


def test_it_can_be_ended() -> None:
    def stop() -> None:
        raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        compare_speed(FakeEngine(), FakeEngine(), stop)
