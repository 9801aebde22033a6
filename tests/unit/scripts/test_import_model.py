"""The command that takes in what others made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.base.settings import Settings
from core.models.registry import ModelRegistry
from scripts import import_model
from tests.unit.models.foreign.test_importer import LABELS, onnx_of


def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, folder: Path, *more: str | Path) -> int:
    monkeypatch.setattr("scripts.import_model.get_settings", lambda: settings)
    (folder / "labels.txt").write_bytes(LABELS)
    fixed = [onnx_of(folder / "net.onnx"), "--name", "parts", "--labels", folder / "labels.txt", "--only"]
    return import_model.main([str(argument) for argument in (*fixed, *more)])


def test_an_onnx_file_is_installed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"pretrained_cfg": {"input_size": [3, 64, 64], "crop_pct": 1.0, "interpolation": "bilinear"}}
    said["pretrained_cfg"] |= {"mean": [0.5] * 3, "std": [0.5] * 3}
    (tmp_path / "config.json").write_text(json.dumps(said))
    assert run(settings, monkeypatch, tmp_path, "--config", tmp_path / "config.json") == 0
    assert "Imported as parts: 5 classes" in capsys.readouterr().out
    assert ModelRegistry(settings).get("parts").preprocessing.crop == 64


def test_without_preprocessing_nothing_is_installed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(settings, monkeypatch, tmp_path) == 2
    assert "Nothing says how images become inputs" in capsys.readouterr().err
    assert "parts" not in ModelRegistry(settings).names
