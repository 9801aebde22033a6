"""The benchmark command: its options, its output, its exit codes; and OpenVINO's benchmark_app beside the engine."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from core.base.errors import EngineUnavailable
from core.base.settings import Settings
from core.benchmark.benchmark_app import compare_with_benchmark_app
from core.benchmark.report import read_report
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.runtime import get_runtime
from core.stacks.store import StackStore
from scripts import benchmark
from tests.builders import zip_bytes
from tests.helpers import FakeEngine, FakeModel, grey_png


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "stack.zip"
    path.write_bytes(zip_bytes({f"{value}.png": grey_png(value) for value in range(3)}))
    return path


@pytest.fixture(autouse=True)
def _runtime(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime of this test's own with the engines of a made-up model."""
    model = FakeModel(tmp_path / "grey", FakeEngine("openvino-int8"), FakeEngine("pytorch-fp32"))
    registry = ModelRegistry(settings, lambda folder, cache: model)
    runtime = replace(get_runtime(), settings=settings, store=StackStore(settings), models=registry)
    monkeypatch.setattr(benchmark, "get_runtime", lambda: runtime)


def run(*arguments: str | Path) -> int:
    return benchmark.main([str(argument) for argument in arguments])


def test_it_prints_a_table_and_writes_what_was_asked_for(
    stack: Path, tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    as_json, as_csv = tmp_path / "out.json", tmp_path / "out.csv"
    engines = "openvino-int8,pytorch-fp32"
    options = ("--counts", "2,4", "--engines", engines, "--modes", "end-to-end", "--repeats", "1")
    assert run(stack, *options, "--batch-size", "2", "--json", as_json, "--csv", as_csv) == 0
    report = read_report(as_json.read_bytes())
    assert [(run.engine, run.images, run.batch_size) for run in report.runs] == [
        (engine, images, 2) for images in (2, 4) for engine in engines.split(",")
    ]
    assert len(list(csv.DictReader(as_csv.open()))) == 4
    assert set(json.loads(as_json.read_text())) >= {"runs", "limits", "environment"}
    printed = capsys.readouterr().out
    assert "| OpenVINO INT8 (FAKE) | End to end | 4* |" in printed
    assert "Inference only" not in printed
    assert not list(settings.work_dir.glob("run-*")), "nothing is left of the stack"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--counts", "0"), "between 1 and"),
        (("--repeats", "0"), "repeats"),
        (("--engines", "baseline-pytorch", "--modes", "inference-only"), "end to end"),
    ],
)
def test_what_cannot_be_measured_ends_with_2_and_a_sentence(
    stack: Path, options: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stack, *options) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.out == ""


def test_a_missing_stack_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "no.zip") == 2
    assert "no.zip" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [("--counts", "many"), ("--counts", "5,"), ("--engines", "tensorrt"), ("--modes", "x"), ("--batch-size", "0")],
)
def test_misspelt_options_are_refused_by_name(
    stack: Path, options: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(stack, *options)
    assert ended.value.code == 2
    assert options[0] in capsys.readouterr().err


def test_openvinos_own_benchmark_runs_beside_the_engine(starter: Model) -> None:
    found = compare_with_benchmark_app(starter, 4, 1, Event(), seconds=1)
    assert found.batch_size == 4
    assert found.images_per_second[0] > 0
    assert found.benchmark_app_images_per_second[0] > 0
    assert found.ratio == pytest.approx(found.images_per_second[0] / found.benchmark_app_images_per_second[0])


def test_a_benchmark_app_that_does_not_run_is_said_in_one_sentence(starter: Model) -> None:
    with pytest.raises(EngineUnavailable, match="no such tool"):
        compare_with_benchmark_app(starter, 1, 1, Event(), seconds=0, main="raise SystemExit('no such tool')")
