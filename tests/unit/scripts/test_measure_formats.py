"""``scripts.dev.measure_formats``: each format has its figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.dev.measure_formats import main
from tests.builders import zip_bytes
from tests.pictures import picture, saved


def test_every_format_has_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = tmp_path / "photos.zip"
    photos.write_bytes(zip_bytes({"a.jpg": saved(picture(64, 48), "JPEG"), "notes.txt": b""}))
    few = ("--camera", "1", "--small", "2", "--pages", "3", "--slices", "3")
    assert main(["--photos", str(photos), *few]) == 0
    said = capsys.readouterr().out
    assert "1 of 1 answers are the same" in said
    assert re.search(r"JPEG takes [\d.]+ of PNG", said)
    assert "from pages.tif · page 1 to pages.tif · page 3" in said
    assert "from IM00003 to IM00001" in said, "by position"
    assert said.count("all prepared: ") == 2
