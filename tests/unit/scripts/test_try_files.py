"""``scripts.dev.try_files``: what becomes of files that others have made."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.dev import try_files
from tests.builders import photo_png
from tests.dicom_files import DICOM_KINDS


def saved(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(64 * 48 * 3, dtype=np.uint8).reshape(48, 64, 3)).save(buffer, kind)
    return buffer.getvalue()


def test_each_file_is_the_same_or_refused_with_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, data in {
        "deep/a.png": photo_png(40, 30),
        "a.bmp": saved("BMP"),
        "cut.bmp": saved("BMP")[:1000],
        "notes.txt": b"no image",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert try_files.main([str(tmp_path), "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].split() for line in lines[:-1]] == [
        ["same", "a.bmp"],
        ["refused", "cut.bmp"],
        ["same", "deep/a.png"],
    ]
    assert lines[-1] == "2 same, 1 refused"


def test_dicom_is_judged_by_pydicom_and_known_without_an_ending(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, name in {
        "Hounsfield units": "IM1",
        "YBR": "b.dcm",
        "palette": "c.dcm",
        "1 bit": "d.dcm",
        "frames": "1.2",
    }.items():
        (tmp_path / name).write_bytes(DICOM_KINDS[kind].data)
    other = DICOM_KINDS["frames"].data
    (tmp_path / "cut.dcm").write_bytes(other[:-9])
    (tmp_path / "README").write_bytes(b"no image")
    assert try_files.main([str(tmp_path), "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "5 same, 1 refused"
    assert "pydicom" in next(line for line in lines if "cut.dcm" in line)


def test_a_reader_that_fails_in_its_own_way_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.bmp").write_bytes(saved("BMP"))

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("out of bounds")

    monkeypatch.setattr("core.images.formats.bmp.Bmp.decode", fails)
    assert try_files.main([str(tmp_path)]) == 1
    assert "RuntimeError: out of bounds" in capsys.readouterr().out
