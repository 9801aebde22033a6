"""The automatic batch size: measured on the real thing, remembered, and never trusted blindly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.engines import batch_size
from core.engines.batch_size import CANDIDATES, automatic_batch_size, choose_size, measure_batch_size
from tests.helpers import FakeEngine


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The engines measured, each of which is said to like batches of 8."""
    names: list[str] = []

    def measure(engine: FakeEngine) -> int:
        names.append(engine.name)
        return 8

    monkeypatch.setattr(batch_size, "measure_batch_size", measure)
    return names


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (lambda size: 0.004 * size, 8),  # an image costs the same in any batch
        (lambda size: 0.004 * max(size, 8), 8),  # up to 8 images cost as much as one
        (lambda size: 0.004 * size * (0.985 if size > 8 else 1), 8),  # a gain too small to be more than noise
        (lambda size: 0.004 * size**2, 1),
        (lambda size: 0.010, 32),  # the more, the better
    ],
    ids=["linear", "knee at 8", "noise", "quadratic", "constant"],
)
def test_a_size_is_chosen_that_is_as_fast_as_any(
    monkeypatch: pytest.MonkeyPatch, seconds: Callable[[int], float], expected: int
) -> None:
    now = [0.0]

    def take_time(batch: np.ndarray) -> None:
        now[0] += seconds(len(batch))

    monkeypatch.setattr(batch_size, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    assert measure_batch_size(FakeEngine(parallelism=1, before=take_time)) == expected


def test_all_parallel_requests_are_busy_while_measuring() -> None:
    engine = FakeEngine(parallelism=3, before=lambda batch: time.sleep(0.004))
    measure_batch_size(engine, seconds=0.002)
    assert engine.most_at_once == 3
    assert set(engine.batch_sizes) == set(CANDIDATES)


def test_a_measured_size_is_remembered_by_model_and_engine(tmp_path: Path, measured: list[str]) -> None:
    int8, fp32 = FakeEngine("openvino-int8"), FakeEngine("openvino-fp32")
    for engine, model in [(int8, "a"), (int8, "a"), (fp32, "a"), (int8, "b"), (fp32, "a"), (int8, "b")]:
        assert automatic_batch_size(engine, model, tmp_path) == 8
    assert measured == ["openvino-int8", "openvino-fp32", "openvino-int8"]
    assert [path.name for path in tmp_path.iterdir()] == ["batch_sizes.json"]


def test_another_version_of_the_library_is_measured_anew_and_the_memory_is_bounded(
    tmp_path: Path, measured: list[str]
) -> None:
    engine = FakeEngine()
    for number in (1, 2, 2):
        engine.library = f"Fake {number}"
        automatic_batch_size(engine, "a", tmp_path)
    assert len(measured) == 2
    for number in range(batch_size.MOST_REMEMBERED):
        automatic_batch_size(engine, f"model {number}", tmp_path)
    assert len(json.loads((tmp_path / "batch_sizes.json").read_text())) == batch_size.MOST_REMEMBERED
    automatic_batch_size(engine, "a", tmp_path)
    assert len(measured) == 2 + batch_size.MOST_REMEMBERED + 1, "the oldest was forgotten"


@pytest.mark.parametrize("begin", [0.0, 0.3, 1.1])
@pytest.mark.parametrize("slower", [1.5, 3.0])
def test_a_spell_of_other_work_does_not_change_the_choice(
    monkeypatch: pytest.MonkeyPatch, begin: float, slower: float
) -> None:
    now = [0.0]

    def take_time(batch: np.ndarray) -> None:
        factor = slower if begin <= now[0] < begin + 0.5 else 1.0
        now[0] += 0.004 * max(len(batch), 8) * factor

    monkeypatch.setattr(batch_size, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    assert measure_batch_size(FakeEngine(parallelism=1, before=take_time)) == 8


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({1: 101.0, 8: 100.0}, 8),
        ({1: 104.0, 8: 100.0}, 1),
        ({1: 50.0, 2: 98.0, 4: 100.0, 8: 80.0}, 4),
        ({2: 100.0, 8: 90.0, 32: 99.0}, 2),
        ({4: 3.0}, 4),
    ],
)
def test_of_sizes_that_differ_by_noise_the_one_nearest_to_8(rates: dict[int, float], expected: int) -> None:
    assert choose_size(rates) == expected


def test_another_number_of_cpus_is_measured_anew(
    tmp_path: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    automatic_batch_size(FakeEngine(), "a", tmp_path)
    monkeypatch.setattr(batch_size, "cpu_count", lambda: 999)
    automatic_batch_size(FakeEngine(), "a", tmp_path)
    assert len(measured) == 2


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "7", "null", '{"KEY": 1000000}', '{"KEY": 0}', '{"KEY": "8"}', '{"KEY": null}', "\0\xff"]
)
def test_a_memory_that_makes_no_sense_is_measured_again_and_replaced(
    tmp_path: Path, measured: list[str], content: str
) -> None:
    path = tmp_path / "batch_sizes.json"
    automatic_batch_size(FakeEngine(), "a", tmp_path)
    (key,) = json.loads(path.read_text())
    path.write_text(content.replace("KEY", key), encoding="latin-1")
    assert automatic_batch_size(FakeEngine(), "a", tmp_path) == 8
    assert len(measured) == 2
    assert json.loads(path.read_text()) == {key: 8}


def test_a_folder_that_cannot_be_written_only_means_measuring_again(tmp_path: Path, measured: list[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    for _ in range(2):
        assert automatic_batch_size(FakeEngine(), "a", tmp_path / "file" / "cache") == 8
    assert len(measured) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_many_sessions_wait_for_one_measurement(tmp_path: Path) -> None:
    engine = FakeEngine(parallelism=1, before=lambda batch: time.sleep(0.001))
    start = threading.Barrier(6)

    def ask(_: int) -> int:
        start.wait()
        return automatic_batch_size(engine, "a", tmp_path)

    with ThreadPoolExecutor(6) as pool:
        sizes = set(pool.map(ask, range(6)))
    assert len(sizes) == 1
    assert sizes <= set(CANDIDATES)
    assert engine.most_at_once == 1, "measurements side by side spoil each other"
    warm_ups = [
        size for size, before in zip(engine.batch_sizes, [0, *engine.batch_sizes], strict=False) if size != before
    ]
    assert warm_ups == list(CANDIDATES) * (1 + batch_size.ROUNDS), "one warm-up, then rounds, and all of it once"


def test_measuring_uses_inputs_as_the_engine_takes_them() -> None:
    kinds: set[tuple[str, tuple[int, ...]]] = set()
    measure_batch_size(FakeEngine(before=lambda batch: kinds.add((str(batch.dtype), batch.shape[1:]))))
    assert kinds == {(str(np.dtype(np.uint8)), (224, 224, 3))}
