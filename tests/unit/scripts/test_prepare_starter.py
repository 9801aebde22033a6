"""What the starter learns from: nothing that shows a photo of val."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from scripts.dev import prepare_starter
from scripts.dev._packed import PackedPhotos


def photo(seed: int, size: tuple[int, int] = (60, 48)) -> Image.Image:
    """Something with large shapes, as photos have."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=80)


def test_what_val_shows_is_left_out_and_one_in_so_many_is_watched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, other, tiny = tmp_path / "data", tmp_path / "other", tmp_path / "tiny"
    for number in range(21):
        save(photo(number), data / "train" / "golf_ball" / f"{number:02}.jpg")
    seen = photo(1000)
    save(seen, data / "val" / "golf_ball" / "0.jpg")
    save(seen, data / "train" / "golf_ball" / "same.jpg")
    save(ImageOps.mirror(seen).resize((90, 72)), data / "train" / "golf_ball" / "mirrored.jpg")
    save(seen.resize((32, 32)), tiny / "train" / "n1" / "images" / "small.jpg")
    save(photo(50, (32, 32)), tiny / "train" / "n1" / "images" / "other.jpg")
    for number in range(4):
        save(photo(100 + number), other / "train" / "Faces" / f"{number}.jpg")
        save(photo(200 + number), other / "train" / "Faces_easy" / f"{number}.jpg")
    save(photo(300), other / "val" / "Faces" / "3.jpg")
    save(photo(400), other / "train" / "BACKGROUND_Google" / "0.jpg")
    folders = ["--data", str(data), str(other), "--auxiliary", str(tiny), "--work", str(tmp_path / "packed")]
    assert prepare_starter.main(folders) == 0
    photos, watch, auxiliary = (
        PackedPhotos.open(tmp_path / "packed" / part) for part in ("photos", "watch", "auxiliary")
    )
    assert photos.classes == watch.classes == ("face in a scene", "face close up", "golf ball")
    assert np.bincount(photos.labels).tolist() == [2, 2, 19]
    assert np.bincount(watch.labels).tolist() == [1, 1, 2]
    assert len(auxiliary) == 1
    assert "4 left out" in capsys.readouterr().out
