"""The command that teaches, end to end: labels in, an installed model and a report out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from core.base.settings import Settings
from core.models.registry import ModelRegistry
from scripts import predict, teach
from tests.builders import zip_bytes
from tests.unit.teach.stripes import stripes_files

KEYS = {
    "classes",
    "images_labelled",
    "images_held_out",
    "accuracy_cross_validated",
    "accuracy_held_out",
    "seconds_features",
    "seconds_fit",
    "agreement_int8_fp32",
    "confusion",
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "stripes.zip"
    path.write_bytes(zip_bytes(stripes_files(12)))
    return path


def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    for command in (teach, predict):
        monkeypatch.setattr(command, "get_settings", lambda: settings)
    return teach.main([str(argument) for argument in arguments])


@pytest.mark.torch
def test_a_model_is_taught_judged_and_used(
    archive: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    report_path = tmp_path / "report.json"
    wanted = ("--labels", "folders", "--per-class", "5", "--seed", "3", "--name", "stripes", "--report", report_path)
    assert run(settings, monkeypatch, archive, *wanted) == 0
    report = json.loads(report_path.read_text())
    assert report.keys() >= KEYS
    assert (report["classes"], report["images_labelled"], report["images_held_out"]) == (["lying", "upright"], 10, 14)
    assert report["accuracy_cross_validated"].keys() >= {"value", "low", "high"}
    assert report["accuracy_held_out"] >= 0.9
    assert report["agreement_int8_fp32"] >= 0.9
    assert sum(map(sum, report["confusion"])) == 10
    shown = capsys.readouterr().out
    assert "Cross-validated" in shown
    assert "Fewer than 10 examples of lying, upright: the estimate is rough." in shown
    assert predict.main([str(archive), "--model", "stripes", "--out", str(tmp_path / "results.csv")]) == 0
    assert "upright/11.png,upright" in (tmp_path / "results.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "folders", "--name", "No Name"], "lower-case letters"),
        (["--labels", "nowhere.csv", "--name", "a"], "No such file"),
        (["--labels", "folders", "--name", "a", "--backbone", "nobody"], "There is no model 'nobody'"),
        (["--labels", "folders", "--name", "a", "--per-class", "2"], "three labelled images each"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(
    archive: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture,
) -> None:
    assert run(settings, monkeypatch, archive, *arguments) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1
    assert message in errors[0]
    assert ModelRegistry(settings).names == ("starter",)


@pytest.mark.parametrize("arguments", [["--per-class", "0"], ["--per-class", "x"], ["--stages", "first"]])
def test_values_that_make_no_sense_are_refused_by_the_parser(archive: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        teach.main([str(archive), "--labels", "folders", "--name", "a", *arguments])
    assert caught.value.code == 2


def test_the_seed_alone_decides_what_is_learnt_from() -> None:
    labels = {index: "ab"[index % 2] for index in range(100)} | {100: "rare"}
    chosen = teach.choose(labels, 5, seed=1)
    assert Counter(chosen.values()) == {"a": 5, "b": 5, "rare": 1}
    assert chosen == teach.choose(dict(reversed(labels.items())), 5, seed=1)
    assert chosen != teach.choose(labels, 5, seed=2)
    assert all(labels[index] == name for index, name in chosen.items())
