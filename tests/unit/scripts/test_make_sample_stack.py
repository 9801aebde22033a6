"""The sample stack: what is in it, that it is the same each time, and that making it needs no network."""

from __future__ import annotations

import io
import re
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import tifffile
from natsort import natsorted
from PIL import Image

from core.base.settings import PROJECT_ROOT, Settings
from core.stacks.sample import make_sample_stack
from core.stacks.sample_volumes import CHANNELS, PLANES, SLICES
from core.stacks.sources import open_source
from scripts.dev.make_sample_stack import main

MICROSCOPE, BEADS = "microscope 16-bit/", "z stack of beads/beads.tif"


@pytest.fixture(scope="module")
def stack_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample stack made while every network connection fails."""

    def refuse(*args: object) -> None:
        raise AssertionError(f"making the sample stack opened a connection: {args}")

    path = tmp_path_factory.mktemp("sample") / "sample.zip"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        make_sample_stack(path)
    return path


@pytest.fixture(scope="module")
def images(stack_path: Path) -> dict[str, Image.Image]:
    with zipfile.ZipFile(stack_path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        return {name: Image.open(io.BytesIO(archive.read(name))) for name in names}


def depth_and_colour_type(path: Path, name: str) -> tuple[int, int]:
    """Bit depth and colour type, as the PNG header states them (PNG specification, 11.2.1 IHDR)."""
    with zipfile.ZipFile(path) as archive:
        header = archive.read(name)[:26]
    return header[24], header[25]


def test_is_a_few_dozen_images_in_a_small_sound_archive(stack_path: Path, images: dict[str, Image.Image]) -> None:
    assert 36 <= len(images) <= 48
    assert stack_path.stat().st_size < 12_000_000
    with zipfile.ZipFile(stack_path) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())
    assert [path.name for path in stack_path.parent.iterdir()] == [stack_path.name]


def test_sides_are_those_of_ordinary_images(images: dict[str, Image.Image]) -> None:
    assert {name: image.size for name, image in images.items() if min(image.size) < 200} == {}
    assert {name: image.size for name, image in images.items() if max(image.size) > 600} == {}
    assert len({image.size for image in images.values()}) > 5


def test_names_lie_in_folders_and_need_natural_order(images: dict[str, Image.Image]) -> None:
    assert all(re.fullmatch(r"[a-zA-Z0-9 -]+(/[a-zA-Z0-9 -]+)+\.png", name) for name in images)
    series = [name for name in images if name.startswith(MICROSCOPE)]
    assert len(series) > 10
    assert series == natsorted(series)
    assert series != sorted(series)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cats/cat 1.png", (8, 2)),
        ("photos/grey/camera.png", (8, 0)),
        ("photos/palette/deep field.png", (8, 3)),
        ("cut-outs/retina.png", (8, 6)),
        (MICROSCOPE + "focus 1.png", (16, 0)),
    ],
)
def test_holds_every_kind_of_png(stack_path: Path, name: str, expected: tuple[int, int]) -> None:
    assert depth_and_colour_type(stack_path, name) == expected


def test_microscope_frames_use_twelve_bits_and_grow_brighter_and_sharper(images: dict[str, Image.Image]) -> None:
    frames = [np.asarray(image) for name, image in images.items() if name.startswith(MICROSCOPE)]
    brightest = [int(frame.max()) for frame in frames]
    assert brightest == sorted(brightest)
    assert 0.95 * 4095 < brightest[-1] <= 4095
    assert brightest[0] < 0.5 * 4095
    # More levels than 8 bits can hold: not an 8-bit photo with a larger scale.
    assert min(len(np.unique(frame)) for frame in frames) > 256
    sharpness = [float(np.abs(np.diff(frame / frame.max(), axis=0)).mean()) for frame in frames]
    assert sharpness[-1] > 1.5 * sharpness[0]


def test_the_tiff_is_a_microscope_s_with_planes_and_channels(stack_path: Path, settings: Settings) -> None:
    with zipfile.ZipFile(stack_path) as archive, tifffile.TiffFile(io.BytesIO(archive.read(BEADS))) as file:
        assert file.is_imagej
        planes = file.asarray()
    assert (planes.shape, planes.dtype) == ((PLANES, CHANNELS, 256, 256), np.uint16)
    assert 1000 < planes.max() <= 4095
    with open_source(stack_path, settings) as source:
        found = {entry.name: index for index, entry in enumerate(source.entries)}
        for plane, channel in ((0, 0), (3, 1)):
            index = found[f"{BEADS} · c {channel} · z {plane}"]
            entry = source.entries[index]
            pixels = entry.format.decode(source.file(index), entry.frame, max_pixels=256 * 256)
            np.testing.assert_array_equal(pixels[..., 0], planes[plane, channel])


def test_the_scan_is_one_series_in_the_order_of_its_positions_of_nobody(stack_path: Path, settings: Settings) -> None:
    with open_source(stack_path, settings) as source:
        slices = [index for index, entry in enumerate(source.entries) if entry.format.name == "DICOM"]
        files = [pydicom.dcmread(io.BytesIO(source.read(index))) for index in slices]
        assert source.skipped == ()
        assert {source.entries[index].header.unit for index in slices} == {"HU"}
        middle = slices[len(slices) // 2]
        values = source.entries[middle].format.decode(source.file(middle), max_pixels=256 * 256)[..., 0]
    heights = [float(file.ImagePositionPatient[2]) for file in files]
    assert (len(files), heights) == (SLICES, sorted(heights))
    assert [file.InstanceNumber for file in files] == list(range(SLICES, 0, -1)), "names go the other way"
    assert len({(file.SeriesInstanceUID, file.StudyInstanceUID) for file in files}) == 1
    assert len({file.SOPInstanceUID for file in files}) == SLICES
    for file in files:
        pydicom.dcmwrite(io.BytesIO(), file, enforce_file_format=True)
        assert not (file.PatientName or file.PatientID or file.PatientBirthDate or file.StudyDate)
    np.testing.assert_array_equal(values, files[len(files) // 2].pixel_array.astype(int) - 1024)
    assert values[0, 0] < -950, "air"
    assert 500 < values.max() < 900, "bone"


@pytest.mark.parametrize("name", ["cut-outs/retina.png", "cut-outs/coffee.png", "cut-outs/astronaut.png"])
def test_cut_outs_are_neither_opaque_nor_empty(images: dict[str, Image.Image], name: str) -> None:
    assert images[name].getchannel("A").getextrema() == (0, 255)


def test_turned_views_show_no_empty_corner(images: dict[str, Image.Image]) -> None:
    for name in ("cats/cat 4.png", "cats/cat 5.png", "photos/coffee 4.png", "photos/coffee 5.png"):
        image = images[name]
        right, bottom = image.width - 1, image.height - 1
        corners = [image.getpixel(corner) for corner in ((0, 0), (right, 0), (0, bottom), (right, bottom))]
        assert (0, 0, 0) not in corners, name


def test_no_two_images_are_equal(images: dict[str, Image.Image]) -> None:
    assert len({(image.mode, image.size, image.tobytes()) for image in images.values()}) == len(images)


def test_same_bytes_each_time(stack_path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    again.write_bytes(b"an older file, longer than nothing")
    make_sample_stack(again)
    assert again.read_bytes() == stack_path.read_bytes()


def test_importing_loads_neither_streamlit_nor_scikit_image() -> None:
    code = "import sys, core.stacks.sample; print(sorted({'streamlit', 'skimage', 'torch'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_command_line_writes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scripts.dev.make_sample_stack.make_sample_stack", lambda path: path.write_bytes(b"stack"))
    out = tmp_path / "out.zip"
    assert main([str(out)]) == 0
    assert out.read_bytes() == b"stack"
    assert str(out) in capsys.readouterr().out


def test_command_line_says_why_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "missing folder" / "out.zip"
    assert main([str(out)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"Cannot write {out}: No such file or directory.")
    assert not out.parent.exists()


def test_command_line_without_a_file_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert "OUT.zip" in capsys.readouterr().err
