"""The command that says why INT8 errs; the heavy work is a stand-in's, which has tests of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.base.settings import Settings
from core.engines.openvino import OpenVinoEngine
from core.models.registry import ModelRegistry
from core.optimize.speed import SpeedComparison
from scripts.cli import COMMANDS
from scripts.layers import main
from tests.builders import photo_png, zip_bytes
from tests.fake_worker import SetAccident

pytestmark = pytest.mark.torch

COUNT = 20


@pytest.fixture(autouse=True)
def _own_folders(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.layers.get_settings", lambda: settings)


@pytest.fixture
def stack(tmp_path: Path) -> str:
    path = tmp_path / "stack.zip"
    path.write_bytes(zip_bytes({f"{number}.png": photo_png(seed=number) for number in range(COUNT)}))
    return str(path)


@pytest.fixture
def contrary(monkeypatch: pytest.MonkeyPatch) -> None:
    """INT8 names the class that is least likely."""
    infer = OpenVinoEngine.infer

    def turned(engine: OpenVinoEngine, *given: Any, **more: Any) -> dict[str, np.ndarray]:
        found = dict(infer(engine, *given, **more))
        return found | {"logits": -found["logits"]} if engine.name == "openvino-int8" else found

    monkeypatch.setattr(OpenVinoEngine, "infer", turned)


def test_it_names_the_worst_layers_keeps_them_and_measures_again(
    stack: str,
    contrary: None,
    fake_worker: SetAccident,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    speed = SpeedComparison(200.0, 150.0, 0.75, 0.7, 0.8)  # measured for real in tests/unit/optimize/test_layer_job.py
    monkeypatch.setattr("core.optimize.run.compare_speed", lambda *_: speed)
    written = tmp_path / "layers.json"
    assert main([stack, "--keep", "2", "--name", "better", "--json", str(written)]) == 0
    printed = capsys.readouterr().out
    assert "20 of 20 images are named differently by OpenVINO INT8 and OpenVINO FP32" in printed
    lines = [line for line in printed.splitlines() if " dB " in line or "exact" in line]
    assert [line.split("  ")[-1] for line in lines] == [
        "stage 4, block 2, convolution 2",
        "first convolution",
        "last layer",
    ]
    assert json.loads(written.read_text())[0] == {
        "layer": "stage 4, block 2, convolution 2",
        "own": 5.0,
        "carried": 5.0,
    }
    assert "In FP32: stage 4, block 2, convolution 2; first convolution\n" in printed
    assert "before: same class as FP32 on 0.00% of 10 images" in printed
    assert "after: same class as FP32 on 0.00% of 10 images" in printed
    assert "200 images per second before, 150 after" in printed
    made = ModelRegistry(settings).get("better")
    assert made.card.quantization["recipe"] == "Full bias correction", "the starter's own"
    assert not list((tmp_path / "work").glob("run-*")), "no stack may be left behind"


def test_where_both_agree_there_is_nothing_to_explain(
    fake_worker: SetAccident, tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one.zip"
    path.write_bytes(zip_bytes({"1.png": photo_png(seed=1)}))
    assert main([str(path), "--keep", "1", "--name", "better"]) == 1
    printed = capsys.readouterr().out
    assert "0 of 1 images are named differently" in printed
    assert " dB" not in printed
    assert "better" not in ModelRegistry(settings).names


def test_what_goes_wrong_is_a_sentence(
    stack: str, contrary: None, fake_worker: SetAccident, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_worker("Compare layer by layer:broken")
    assert main([stack]) == 2
    assert "The weights are broken." in capsys.readouterr().err
    assert main([stack, "--model", "nobody"]) == 2
    assert COMMANDS["layers"][0] == "scripts.layers"
