"""Which images calibrate and which judge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import InvalidRequest
from core.base.spreadsheet import write_csv
from core.images.preprocessing import STANDARD
from core.optimize.calibration import (
    MAX_CALIBRATION_IMAGES,
    MAX_EVALUATION_IMAGES,
    MIN_IMAGES,
    labels_from_csv,
    labels_from_folders,
    load_inputs,
    split,
)
from tests.builders import BROKEN_PNGS, photo_png
from tests.conftest import MakeStack

CLASSES = ("cat", "golf ball", "French horn")


@given(st.integers(MIN_IMAGES, 5000), st.integers(MIN_IMAGES // 2, MAX_CALIBRATION_IMAGES))
def test_no_image_both_calibrates_and_judges(count: int, wanted: int) -> None:
    found = split(count, wanted)
    assert not set(found.calibration) & set(found.evaluation)
    assert len(found.calibration) == len(set(found.calibration)) == min(wanted, count // 2)
    assert (
        len(found.evaluation)
        == len(set(found.evaluation))
        == min(MAX_EVALUATION_IMAGES, count - len(found.calibration))
    )
    for positions in (found.calibration, found.evaluation):
        assert list(positions) == sorted(positions)
        assert positions[0] >= 0
        assert positions[-1] < count


def test_calibration_images_are_spread_over_the_whole_stack() -> None:
    calibration = split(600, 300).calibration
    assert (calibration[0], calibration[-1]) == (0, 599)
    assert set(np.diff(calibration)) <= {1, 2, 3}


@pytest.mark.parametrize(("count", "wanted"), [(MIN_IMAGES - 1, 10), (0, 10), (600, 9), (600, 401), (600, -1)])
def test_too_few_or_too_many_are_refused(count: int, wanted: int) -> None:
    with pytest.raises(InvalidRequest, match=r"between|at least"):
        split(count, wanted)


def test_unreadable_images_are_left_out(make_stack: MakeStack) -> None:
    stack = make_stack({"1.png": photo_png(), "2.png": BROKEN_PNGS["data stops early"], "3.png": photo_png(seed=1)})
    positions, inputs = load_inputs(stack, STANDARD, [0, 1, 2])
    assert positions == (0, 2)
    assert (inputs.shape, inputs.dtype) == ((2, 224, 224, 3), np.uint8)
    assert not np.array_equal(inputs[0], inputs[1])


def test_folders_named_like_classes_are_labels() -> None:
    names = ["photos/golf_ball/1.png", "Cat/2.png", "french horn/3.png", "other/4.png", "cat.png"]
    assert labels_from_folders(names, CLASSES).tolist() == [1, 0, 2, -1, -1]


@pytest.mark.parametrize(
    "text",
    [
        "file,class\na/1.png,cat\n2.png,golf_ball\n",
        "\ufeffa/1.png, Cat \r\nb/2.png,golf ball\r\n",
        '"a/1.png",cat\n2.png,golf ball',
    ],
    ids=["header", "byte order mark", "quotes"],
)
def test_a_csv_names_classes_by_path_or_base_name(text: str) -> None:
    labels = labels_from_csv(text.encode("utf-8"), ["a/1.png", "b/2.png", "c/3.png"], CLASSES)
    assert labels.tolist() == [0, 1, -1]


def test_names_and_classes_of_saved_results_are_known_again() -> None:
    rows = [{"file": "=1.png", "class": "-cat"}, {"file": "'=2.png", "class": "golf ball"}]
    text = write_csv(("file", "class"), rows)
    assert "=1.png" not in text.replace("'=1.png", "")
    found = labels_from_csv(text.encode(), ["=1.png", "a/'=2.png", "3.png"], ("-cat", "golf ball"))
    assert found.tolist() == [0, 1, -1]
    assert labels_from_csv(b"=1.png,-cat", ["=1.png"], ("-cat",)).tolist() == [0], "and those of other programs"


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"", b"a.png\n", b"other.png,cat\n", b"a.png,unknown\n"])
def test_a_csv_that_says_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="labels file"):
        labels_from_csv(data, ["a.png"], CLASSES)
