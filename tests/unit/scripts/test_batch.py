"""The command before it begins; whole jobs are in tests/unit/batch/test_cluster.py, where Ray runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.batch.manifest import Manifest
from core.batch.stores import LOCAL
from scripts.batch import main
from tests.builders import photo_png

pytestmark = pytest.mark.batch


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(photo_png(seed=seed))
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{images}"], "--out is missing"),
        (["{images}/gone", "--out", "{out}"], "there is nothing there"),
        (["{images}/notes.txt", "--out", "{out}"], "neither an image"),
        (["{images}", "--out", "{images}"], "holds files that are no results of this command"),
        (["{images}", "--out", "{out}", "--model", "nobody"], "no model 'nobody'"),
        (["{images}", "--out", "{out}", "--shards", "2", "--shard", "2"], "--shard counts from 0"),
        (["nosuch://bucket/x", "--out", "{out}"], "no address that can be read here"),
        (["{images}", "--out", "nosuch://bucket/x"], "no address that can be read here"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main([one.format(images=images, out=tmp_path / "out") for one in arguments]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
    assert len(list(images.iterdir())) == 4


@pytest.mark.parametrize("size", ["a lot", "12MiB", "-1GiB", "2 parsecs"])
def test_a_size_that_is_none_is_refused(images: Path, size: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(images), "--out", "x", f"--limit-memory={size}"])
    assert ended.value.code == 2


def test_a_dry_run_counts_and_times_and_writes_nothing(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(images), "--out", str(tmp_path / "out"), "--dry-run", "--cores", "999"]) == 0
    captured = capsys.readouterr()
    assert "3 files and 0 archives" in captured.out
    assert "Of 3 sampled images 0 cannot be read" in captured.out
    assert "left out: 1 no image by its name" in captured.err
    assert not (tmp_path / "out").exists()


def test_a_list_that_fails_on_the_way_is_not_believed(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = images / "list.csv"
    manifest.write_bytes(b"path\n" + b"0.png\n" * 5_000 + b"\xff\n")
    out = tmp_path / "out"
    assert main([str(manifest), "--out", str(out)]) == 2
    assert "no CSV file of text in UTF-8" in capsys.readouterr().err
    assert not list((out / "parts").iterdir())
    assert Manifest(LOCAL, str(out / "manifest")).totals() is None
