"""The command that evaluates: what it prints and writes, and how it ends; the real program on real files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from core.base.settings import Settings
from scripts.cli import COMMANDS
from scripts.evaluate import main
from tests.builders import BROKEN_PNGS, photo_png, zip_bytes

FILES = {f"{name}/{seed}.png": photo_png(seed=seed) for name in ("French_horn", "tench") for seed in range(3)}


@pytest.fixture(autouse=True)
def _own_folders(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.evaluate.get_settings", lambda: settings)


def packed(folder: Path, more: dict[str, bytes] | None = None) -> str:
    path = folder / "stack.zip"
    path.write_bytes(zip_bytes(FILES | (more or {})))
    return str(path)


def test_two_engines_are_evaluated_compared_and_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {name: tmp_path / name for name in ("out.json", "out.html", "out.csv", "classes.csv")}
    options = ["--engines", "openvino-int8", "openvino-fp32", "--json", names["out.json"], "--html", names["out.html"]]
    options += ["--csv", names["out.csv"], "--classes-csv", names["classes.csv"], "--model", "starter"]
    assert main([packed(tmp_path), "--labels", "folders", *map(str, options)]) == 0
    printed = capsys.readouterr().out
    for text in (
        "French_horn = French horn",
        "10 of 12 classes have no image",
        "Only 6 images to judge by",
        "openvino-int8:",
        "right of 6 images",
        "expected calibration error",
        "OpenVINO INT8 and OpenVINO FP32 name the same class on",
    ):
        assert text in printed
    report = json.loads(names["out.json"].read_text())
    assert [run["engine"] for run in report["runs"]] == ["openvino-int8", "openvino-fp32"]
    assert report["comparisons"][0]["images"] == 6
    rows = list(csv.DictReader(names["out.csv"].open(newline="")))
    assert len(rows) == 12
    right = sum(int(row["right"]) for row in rows if row["engine"] == "openvino-int8")
    assert report["runs"][0]["top1"]["value"] == round(right / 6, 4)
    assert names["classes.csv"].read_text().startswith("model,engine,class,")
    assert names["out.html"].read_text().startswith("<!doctype html>")
    assert not list((tmp_path / "work").glob("run-*")), "no stack may be left behind"


def test_what_is_left_out_is_printed_and_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"zebra/1.png": photo_png(seed=9), "tench/x.png": BROKEN_PNGS["data stops early"]}
    assert main([packed(tmp_path, more), "--labels", "folders"]) == 1
    printed = capsys.readouterr().out
    assert "1 label is no class of the model, so 1 image with it is not judged: zebra (1)." in printed
    assert "1 image with a label cannot be read, and is not judged: tench/x.png." in printed


def test_labels_from_a_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("file,class\nFrench_horn/0.png,tench\nFrench_horn/1.png,cat\nnobody.png,cat\n")
    assert main([packed(tmp_path), "--labels", str(labels)]) == 1
    printed = capsys.readouterr().out
    assert "1 line of the labels file names files that are not in the stack: nobody.png." in printed
    assert "4 images without a label" in printed
    assert "right of 2 images" in printed


@pytest.mark.parametrize(
    ("labels", "arguments", "message"),
    [
        ("1/a.png,x\n", [], "names no image of this stack"),
        ("French_horn/0.png,nothing\n", [], "No label is a class of the model Starter"),
        ("French_horn/0.png,=1+1\n", [], "reads like a formula"),
        ("French_horn/0.png,cat\n", ["--model", "nobody"], "There is no model 'nobody' here"),
        ("French_horn/0.png,cat\n", ["--model", "starter", "starter"], "Name every model and every engine once"),
        (None, [], "No such file"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(
    labels: str | None, arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "labels.csv"
    if labels is not None:
        path.write_text(labels)
    written = tmp_path / "out.json"
    assert main([packed(tmp_path), "--labels", str(path), "--json", str(written), *arguments]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert not written.exists()


def test_aisr_has_it() -> None:
    assert COMMANDS["evaluate"][0] == "scripts.evaluate"
