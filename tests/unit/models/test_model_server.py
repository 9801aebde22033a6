"""A repository for OpenVINO Model Server: its layout, and an IR that takes images as the server decodes them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.engines.openvino import shared_core
from core.engines.openvino_network import IMAGE
from core.models.model import Model
from core.models.model_server import pack_repository
from scripts import export_model


def test_the_repository_answers_for_bgr_what_the_model_answers_for_rgb(
    starter: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export_model.main(["starter", "--to", str(tmp_path)]) == 0
    path = Path(capsys.readouterr().out.strip())
    files = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    assert files == {"config.json", "starter/1/model.xml", "starter/1/model.bin"}
    (entry,) = json.loads((tmp_path / "config.json").read_text())["model_config_list"]
    assert entry["config"]["name"] == "starter"
    image = np.random.default_rng(0).integers(0, 256, (1, 30, 40, 3), dtype=np.uint8).repeat(9, 1).repeat(9, 2)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    own, served = (shared_core().compile_model(str(one), "CPU", exact) for one in (starter.int8_path, path))
    expected = own({IMAGE: image})["raw_scores"]
    assert np.abs(served({IMAGE: image[..., ::-1].copy()})["raw_scores"] - expected).max() < 1e-4
    assert np.abs(served({IMAGE: image})["raw_scores"] - expected).max() > 0.1


def test_as_a_zip_it_is_the_same(starter: Model) -> None:
    with zipfile.ZipFile(io.BytesIO(pack_repository(starter))) as packed:
        assert set(packed.namelist()) == {"config.json", "starter/1/model.xml", "starter/1/model.bin"}


def test_what_has_no_int8_copy_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export_model.main(["nothing", "--to", str(tmp_path)]) == 2
    assert "no model 'nothing'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
