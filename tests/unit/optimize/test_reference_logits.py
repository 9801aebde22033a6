"""Answers are asked for once, and go with their stack."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import Cancelled
from core.optimize.reference_logits import BATCH, engine_logits, kept_logits
from tests.conftest import MakeStack
from tests.helpers import FakeEngine, FakeModel, grey_png

INPUTS = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 224, 224, 3), np.uint8)


def test_answers_come_in_order_whatever_thread_gives_them() -> None:
    counted: list[int] = []
    engine = FakeEngine(parallelism=4)
    assert engine_logits(engine, INPUTS, counted.append).argmax(axis=1).tolist() == list(range(40))
    assert sorted(counted) == [8, BATCH, BATCH]


def test_what_the_counter_raises_ends_the_work() -> None:
    def stop(_: int) -> None:
        raise Cancelled("Stop.")

    engine = FakeEngine()
    with pytest.raises(Cancelled):
        engine_logits(engine, INPUTS, stop)
    assert engine.batch_sizes == []


def test_the_same_question_is_answered_once_and_another_anew(make_stack: MakeStack, tmp_path: Path) -> None:
    stack, engine = make_stack({"1.png": grey_png(1)}), FakeEngine()
    model = FakeModel(tmp_path / "greys", engine)

    def ask(indices: list[int]) -> np.ndarray:
        return kept_logits(model, "openvino-int8", stack, indices, INPUTS[indices], lambda _: None)

    first = ask([1, 2, 3])
    assert np.array_equal(ask([1, 2, 3]), first)
    assert engine.batch_sizes == [3]
    assert ask([2, 3]).argmax(axis=1).tolist() == [2, 3]
    assert engine.batch_sizes == [3, 2]
    kept = [weakref.ref(ask([start])) for start in range(20)]
    gc.collect()
    assert 1 <= sum(answer() is not None for answer in kept) <= 8


def test_answers_go_with_their_stack(make_stack: MakeStack, tmp_path: Path, store: object) -> None:
    stack = make_stack({"1.png": grey_png(1)})
    model = FakeModel(tmp_path / "m", FakeEngine())
    kept = weakref.ref(kept_logits(model, "openvino-int8", stack, [0], INPUTS[:1], lambda _: None))
    assert kept() is not None
    stack_id = stack.id
    stack.prepare(0, 0).result()
    del stack
    store.delete(stack_id)
    gc.collect()
    assert kept() is None
