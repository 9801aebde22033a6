"""The command line: what it writes and how it ends. Each case is the real program on real files."""

from __future__ import annotations

import csv
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from core.base.settings import Settings
from scripts.predict import main
from tests.builders import BROKEN_PNGS, encrypted, photo_png, png_bytes, zip_bytes

NAMES = ["a/frame_2.png", "a/frame_10.png", "b/frame_2.png"]


@pytest.fixture(autouse=True)
def _own_folders(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.predict.get_settings", lambda: settings)


def photos() -> dict[str, bytes]:
    return {name: photo_png(seed=seed) for seed, name in enumerate(NAMES)}


def late_break() -> bytes:
    """A PNG whose header is fine, so that only decoding finds out."""
    return BROKEN_PNGS["data stops early"]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "stack.zip"
    path.write_bytes(zip_bytes(photos()))
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_zip_becomes_a_csv_in_natural_order(stack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(stack), "--out", str(tmp_path / "out.csv")]) == 0
    rows = read_csv(tmp_path / "out.csv")
    assert [row["filename"] for row in rows] == NAMES
    assert all(0 < float(row["confidence"]) <= 1 and not row["error"] for row in rows)
    assert "OpenVINO INT8 (INT8), model starter: 3 images" in capsys.readouterr().err
    assert not list((tmp_path / "work").glob("run-*")), "no stack may be left behind"


@pytest.mark.parametrize("arguments", [[], ["--value-range", "stack"]])
def test_deep_images_are_scaled_by_the_range_that_is_asked_for(tmp_path: Path, arguments: list[str]) -> None:
    ramp = np.arange(64).reshape(8, 8, 1)
    files = {"a.png": png_bytes(ramp * 10, 16), "b.png": png_bytes(ramp * 900, 16), "c.png": photo_png()}
    (tmp_path / "deep.zip").write_bytes(zip_bytes(files))
    assert main([str(tmp_path / "deep.zip"), "--out", str(tmp_path / "out.csv"), *arguments]) == 0
    first, second, photo = read_csv(tmp_path / "out.csv")
    told = "stack" if arguments else "image"
    assert [row["value_range"] for row in (first, second, photo)] == [told, told, ""]
    assert (first["top5"] == second["top5"]) is not bool(arguments), "by its own range, the same picture"


def test_a_folder_gives_the_same_answers_as_its_zip(stack: Path, tmp_path: Path) -> None:
    for name, data in photos().items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert main([str(stack), "--out", str(tmp_path / "zip.json"), "--batch-size", "2"]) == 0
    assert main([str(tmp_path / "folder"), "--out", str(tmp_path / "folder.json")]) == 0
    from_zip, from_folder = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("zip", "folder"))
    assert [(row["filename"], row["class"]) for row in from_zip] == [(r["filename"], r["class"]) for r in from_folder]


def test_a_folder_may_have_more_files_than_an_upload(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.predict.get_settings", lambda: settings.model_copy(update={"max_entries": 2}))
    (tmp_path / "folder").mkdir()
    for number in range(3):
        (tmp_path / "folder" / f"{number}.png").write_bytes(photo_png(seed=number))
    assert main([str(tmp_path / "folder"), "--out", str(tmp_path / "out.csv")]) == 0
    assert len(read_csv(tmp_path / "out.csv")) == 3


def test_what_can_only_be_read_once_and_one_image_are_recognised_too(stack: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(stack.read_bytes()))
    writer.start()
    assert main([str(pipe), "--out", str(tmp_path / "out.csv")]) == 0
    writer.join()
    assert [row["filename"] for row in read_csv(tmp_path / "out.csv")] == NAMES
    (tmp_path / "one.png").write_bytes(photo_png())
    assert main([str(tmp_path / "one.png"), "--out", str(tmp_path / "out.csv")]) == 0
    assert [row["filename"] for row in read_csv(tmp_path / "out.csv")] == ["one.png"]


def test_a_broken_image_is_an_entry_and_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "stack.zip"
    path.write_bytes(zip_bytes({"good.png": photo_png(), "late.png": late_break()}))
    assert main([str(path), "--out", str(tmp_path / "out.csv")]) == 1
    good, broken = read_csv(tmp_path / "out.csv")
    assert good["class"] != "error"
    assert (broken["class"], broken["confidence"]) == ("error", "0.0")
    assert broken["error"]
    assert "1 of 2 images could not be read" in capsys.readouterr().err


def test_without_out_the_answers_go_to_standard_output(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(stack)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == NAMES


@pytest.mark.parametrize(
    "data",
    [b"plain text", zip_bytes({}), zip_bytes({"a.png": photo_png()}, edit=encrypted)],
    ids=["text", "no files", "encrypted"],
)
def test_an_unusable_stack_is_exit_code_2_and_one_line(
    data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "stack.zip"
    path.write_bytes(data)
    assert main([str(path), "--out", str(tmp_path / "out.csv")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "out.csv").exists()


def test_a_missing_file_is_exit_code_2(tmp_path: Path) -> None:
    assert main([str(tmp_path / "nothing.zip")]) == 2


@pytest.mark.parametrize(
    "extra",
    [["--batch-size", "0"], ["--batch-size", "many"], ["--out", "results.txt"], ["--engine", "gpu"]],
    ids=" ".join,
)
def test_wrong_options_are_refused_before_any_work(extra: list[str], stack: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(stack), *extra])
    assert stopped.value.code == 2


def test_an_unknown_model_names_the_known_ones(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(stack), "--model", "nothing"]) == 2
    assert "starter" in capsys.readouterr().err


def test_maps_are_kept_where_they_are_asked_for(stack: Path, tmp_path: Path) -> None:
    assert main([str(stack), "--out", str(tmp_path / "plain.json")]) == 0
    assert main([str(stack), "--out", str(tmp_path / "out.json"), "--maps", str(tmp_path / "maps")]) == 0
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [
        "000001-frame_2.png",
        "000002-frame_10.png",
        "000003-frame_2.png",
    ]
    assert (tmp_path / "out.json").read_text() == (tmp_path / "plain.json").read_text()
    assert main([str(stack), "--maps", str(stack / "no folder")]) == 2
