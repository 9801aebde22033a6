"""Maps that a run keeps: one file an image, wherever its name would lead, and the same answers as without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.base.settings import Settings
from core.models.model import Model
from core.recognition.recognize import recognize
from core.trust.map_folder import MapFolder
from tests.builders import BROKEN_PNGS, photo_png
from tests.conftest import MakeStack

INT8 = "openvino-int8"


def test_every_readable_image_has_its_map(
    make_stack: MakeStack, starter: Model, settings: Settings, tmp_path: Path
) -> None:
    stack = make_stack(
        {"a/1.png": photo_png(seed=1), "a/2.png": BROKEN_PNGS["data stops early"], "b/1.png": photo_png(seed=2)}
    )
    folder = tmp_path / "made" / "maps"
    without = recognize(stack, range(3), starter, INT8, settings)
    maps = MapFolder(stack, starter, folder)
    kept = recognize(stack, range(3), starter, INT8, settings, also=maps.also)
    maps.written(most_waiting=10_000_000)
    assert not list(folder.iterdir()), "little waits"
    maps.written()
    assert [one.label for one in kept.predictions] == [one.label for one in without.predictions]
    assert sorted(path.name for path in folder.iterdir()) == ["000001-1.png", "000003-1.png"]
    with Image.open(folder / "000003-1.png") as picture:
        assert (picture.mode, picture.size, picture.text["class"]) == ("P", (7, 7), kept.predictions[2].label)


def test_overlays_are_pictures_of_what_the_model_saw(
    make_stack: MakeStack, starter: Model, settings: Settings, tmp_path: Path
) -> None:
    stack = make_stack({"1.png": photo_png(224, 224)})
    maps = MapFolder(stack, starter, tmp_path, "overlay")
    recognize(stack, [0], starter, INT8, settings, also=maps.also)
    maps.written()
    with Image.open(tmp_path / "000001-1.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (224, 224))
        assert np.asarray(picture).std() > 10


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("a%2f..%2f..%2fetc.png", "000001-a_2f.._2f.._2fetc.png"),
        ("a b;c.png", "000001-a_b_c.png"),
        ("CON.png", "000001-CON.png"),
    ],
)
def test_names_of_images_lead_nowhere(
    make_stack: MakeStack, starter: Model, settings: Settings, tmp_path: Path, name: str, made: str
) -> None:
    stack = make_stack({name: photo_png()})
    maps = MapFolder(stack, starter, tmp_path / "maps")
    recognize(stack, [0], starter, INT8, settings, also=maps.also)
    maps.written()
    assert [path.name for path in (tmp_path / "maps").iterdir()] == [made]
    assert not list(tmp_path.glob("*.png"))


def test_a_folder_that_cannot_be_made_is_told(make_stack: MakeStack, starter: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        MapFolder(make_stack({"1.png": photo_png()}), starter, tmp_path / "file" / "maps")
