"""The command that reads image files of others and compares them with Pillow."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from scripts.dev.try_files import main
from tests.pictures import GIF_KINDS, JPEG_KINDS, TIFF_KINDS, picture, saved


def test_files_are_the_same_refused_or_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.jpg").write_bytes(JPEG_KINDS["progressive"].data)
    (tmp_path / "deep" / "b.gif").write_bytes(GIF_KINDS["animation"].data)
    (tmp_path / "c.jpg").write_bytes(JPEG_KINDS["baseline"].data[:-9])
    (tmp_path / "d.tif").write_bytes(TIFF_KINDS["float64"].data)
    (tmp_path / "notes.txt").write_text("not looked at")
    assert main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [["refused", "c.jpg:"], ["alone", "d.tif:"]]
    assert lines[-1] == "2 same, 1 refused, 1 alone"


def test_what_is_shown_otherwise_than_pillow_does_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # which is not applied to a PNG, and Pillow's judge turns it
    (tmp_path / "a.png").write_bytes(saved(picture(), "PNG", exif=exif))
    main([str(tmp_path)])
    assert capsys.readouterr().out.startswith("differs  a.png: 1 x 40 x 30, 8-bit RGB, by 255")
