"""The starter's trust is measured by command and written beside its weights; scores are compared the same way."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.models.card import KNOWN_NAME, read_card
from core.models.model import Model
from core.recognition.classifier import Classifier
from core.recognition.known import known_of
from scripts.dev import measure_known, trust_starter
from scripts.dev.measure_known import area

EACH = 2


def photos(folder: Path, classes: tuple[str, ...], seed: int) -> None:
    random = np.random.default_rng(seed)
    for place, name in enumerate(classes):
        (folder / name.replace(" ", "_")).mkdir(parents=True)
        for number in range(EACH):
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            pixels[:, :, place % 3] = place * 20
            image = Image.fromarray(pixels).resize((64, 64))
            image.save(folder / name.replace(" ", "_") / f"{number}.jpg")


@pytest.fixture
def data(starter: Model, tmp_path: Path) -> Path:
    photos(tmp_path / "data" / "train", starter.card.classes, 0)
    photos(tmp_path / "data" / "val", starter.card.classes, 1)
    return tmp_path / "data"


@pytest.mark.torch
def test_card_and_statistics_are_made_anew_and_the_weights_stay(
    starter: Model, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "starter"
    shutil.copytree(starter.folder, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    trust_starter.main(["--data", str(data), "--model", str(folder)])
    said = capsys.readouterr().out
    assert "OpenVINO INT8: temperature" in said
    assert "known photos are called known" in said
    changed = {path.name for path in folder.iterdir() if before.get(path.name) != path.read_bytes()}
    assert changed == {"card.json", KNOWN_NAME, "resnet18-int8.xml", "resnet18-int8.bin"}, (
        "the IR tells its temperature"
    )
    card = read_card(folder)
    assert set(card.confidence) == {"openvino-int8", "openvino-fp32", "pytorch-fp32"}
    assert {(one.images, one.judged) for one in card.confidence.values()} == {(12, 12)}
    assert card.known is not None
    assert (card.known.images, card.known.measured) == (24, 12)
    assert card.scores == starter.card.scores
    model = Model(folder, tmp_path / "cache")
    assert known_of(model) is not None
    (answer,) = Classifier(model, "openvino-int8").predict([np.zeros((32, 32, 3), np.uint8)])
    assert answer.calibrated
    assert answer.known_score is not None


def test_every_score_gets_a_row(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = ["--data", str(data), "--foreign", str(data / "train"), "--judge", str(data / "val")]
    measure_known.main(folders)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(rows) >= 10
    assert all(row.count("|") == rows[0].count("|") for row in rows)
    assert any("(ours)" in row for row in rows)


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    assert area(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert area(np.array([0.0, 1.0]), np.array([2.0, 3.0])) == 0
    assert area(np.array([1.0]), np.array([1.0])) == 0.5
    assert area(np.array([0.0, 2.0]), np.array([1.0])) == 0.5
