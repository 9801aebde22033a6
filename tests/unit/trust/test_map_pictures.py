"""Maps as pictures: the numbers can be read back, and the colours can be told apart by everybody."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.images.preprocessing import STANDARD, Preprocessing
from core.trust.explain import ClassMap
from core.trust.map_pictures import CIVIDIS, input_png, palette, to_png

COMPONENTS = Path(__file__).parents[3] / "pages" / "_ui" / "components"


def class_map(values: np.ndarray, label: str = "Katze ü") -> ClassMap:
    return ClassMap(label, 0.0, 0.0, values.astype(np.float32))


def read(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def test_a_map_can_be_read_back_from_its_png() -> None:
    values = np.random.default_rng(0).normal(size=(7, 9))
    picture = read(to_png(class_map(values)))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "P", (9, 7))
    low, high = float(picture.text["low"]), float(picture.text["high"])
    assert picture.text["class"] == "Katze ü"
    again = low + np.asarray(picture) / 255 * (high - low)
    assert np.abs(again - values).max() <= (high - low) / 510 + 1e-5
    assert np.asarray(picture.convert("RGB"))[np.unravel_index(values.argmax(), values.shape)].tolist() == [
        254,
        232,
        56,
    ]


def test_a_map_without_any_difference_is_all_the_lowest_colour() -> None:
    assert set(np.asarray(read(to_png(class_map(np.ones((3, 3)))))).ravel()) == {0}


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_an_overlay_is_what_the_model_saw_half_under_its_map(order: str) -> None:
    inputs = np.zeros((224, 224, 3), np.uint8)
    inputs[..., 0 if order == "RGB" else 2] = 200  # red
    values = np.zeros((7, 7))
    values[0, 6] = 1
    preprocessing = Preprocessing(color_order=order) if order != "RGB" else STANDARD
    picture = np.asarray(read(input_png(inputs, preprocessing, class_map(values)))).astype(int)
    assert picture.shape == (224, 224, 3)
    assert picture[-1, 0].tolist() == [100, 17, 39], "the lowest colour over red"
    assert picture[0, -1].tolist() == [227, 116, 28], "the highest one, at its own place"
    plain = np.asarray(read(input_png(inputs, preprocessing)))
    assert (plain == (200, 0, 0)).all(), "exactly what the model saw"


def test_the_colours_grow_lighter_evenly_for_everybody() -> None:
    red, green, blue = (palette()[:, channel] / 255 for channel in range(3))
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (red, green, blue)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    lightness = 116 * np.cbrt(np.maximum(luminance, 0.008856)) - 16
    steps = np.diff(lightness)
    assert steps.min() >= -0.35, "never darker by more than rounding to whole numbers makes it"
    assert lightness[-1] - lightness[0] > 70
    assert np.abs(np.diff(lightness[::32])).std() < 3


def test_the_browser_has_the_same_colours() -> None:
    text = (COMPONENTS / "stack_viewer" / "colours.js").read_text()
    found = re.findall(r"\[(\d+), (\d+), (\d+)\]", text)
    assert tuple(tuple(map(int, one)) for one in found) == CIVIDIS
