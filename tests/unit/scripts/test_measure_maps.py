"""Truth and cost of maps, measured on a few pictures: what is printed, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.base.settings import Settings
from core.models.model import Model
from scripts.dev.measure_maps import main
from tests.builders import photo_png, zip_bytes


@pytest.fixture(autouse=True)
def _own_folders(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.dev.measure_maps.get_settings", lambda: settings)


def test_truth_of_pictures_of_nothing_is_measured(
    starter: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, label in enumerate(starter.card.classes):
        folder = tmp_path / "val" / label.replace(" ", "_")
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(photo_png(seed=seed))
    ended = main(["truth", "--data", str(tmp_path), "--pairs", "20"])
    said = capsys.readouterr().out
    assert "in 20 pairs the peak of each class lies in its half" in said
    share = float(said.split("its half ")[1].split("%")[0])
    assert ended == (0 if share >= 85 else 1)
    assert ended == 1, "noise has no halves"


def test_other_classes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "val" / "unicorn").mkdir(parents=True)
    (tmp_path / "val" / "unicorn" / "1.png").write_bytes(photo_png())
    with pytest.raises(SystemExit, match="are not the classes of starter"):
        main(["truth", "--data", str(tmp_path)])


def test_cost_is_measured_in_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "stack.zip").write_bytes(zip_bytes({f"{seed}.png": photo_png(seed=seed) for seed in range(3)}))
    assert main(["cost", str(tmp_path / "stack.zip"), "--pairs", "2"]) in (0, 1)
    assert "% of CPU time (median of 2 pairs)" in capsys.readouterr().out
    assert not list((tmp_path / "work").glob("run-*")), "no stack may be left behind"
