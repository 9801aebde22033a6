"""The command that takes in what others made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.base.settings import Settings
from core.images.preprocessing import Preprocessing
from core.models.install import pack_model
from core.models.model import Model
from core.models.registry import ModelRegistry
from scripts import import_model
from tests.foreign_models import SIDE, tiny_ir
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


def test_the_two_files_of_an_ir_need_not_lie_together(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scripts.import_model.get_settings", lambda: settings)
    graph, elsewhere = tiny_ir(tmp_path), tmp_path / "elsewhere.bin"
    graph.with_suffix(".bin").rename(elsewhere)
    said = Preprocessing(resize=SIDE, crop=SIDE).model_dump_json()
    (tmp_path / "how.json").write_text(said)
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree")
    more = ["--name", "parts", "--only", "--preprocessing", str(tmp_path / "how.json")]
    more += ["--labels", str(tmp_path / "labels.txt")]
    assert import_model.main([str(elsewhere), str(graph), *more]) == 0
    assert "Imported as parts: 3 classes" in capsys.readouterr().out
    assert import_model.main([str(elsewhere), str(graph), str(graph), *more]) == 2
    assert "Only an OpenVINO IR has two files" in capsys.readouterr().err


def test_a_downloaded_model_is_installed_as_it_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, starter: Model
) -> None:
    monkeypatch.setattr("scripts.import_model.get_settings", lambda: settings)
    (tmp_path / "starter.zip").write_bytes(pack_model(starter))
    assert import_model.main([str(tmp_path / "starter.zip"), "--name", "again"]) == 0
    card = ModelRegistry(settings).get("again").card
    assert (card.title, card.checksums) == (starter.title, starter.card.checksums)
