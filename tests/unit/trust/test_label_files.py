"""Labels from strangers' files: one sentence where they make no sense, and what we write is read back."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import LabelsInvalid
from core.models.labels import clean_label
from core.trust.label_files import MAX_BYTES, MAX_LINES, from_csv, from_folders, to_csv, to_folders
from tests.conftest import MakeStack
from tests.helpers import grey_png

NAMES = ("set/a/1.png", "set/b/1.png", "set/b/2.png", "3.png", "=1.png")


def test_folders_are_classes_and_images_outside_have_none() -> None:
    assert from_folders(NAMES) == {0: "a", 1: "b", 2: "b"}


@pytest.mark.parametrize(
    ("names", "message"),
    [(["1.png", "2.png"], "No image of this stack lies in a folder"), (["=x/1.png"], "The folder '=x' reads like")],
)
def test_folders_that_name_no_classes(names: list[str], message: str) -> None:
    with pytest.raises(LabelsInvalid, match=message):
        from_folders(names)


@pytest.mark.parametrize(
    ("text", "labels", "unknown"),
    [
        ("file,class\nset/a/1.png,x\n3.png,y\n", {0: "x", 3: "y"}, 0),
        ("set/a/1.png,x", {0: "x"}, 0),
        ("\ufefffile,class\r\n2.png,x\r\n", {2: "x"}, 0),  # by its last part, which one image has
        ("1.png,x\n3.png,y\n", {3: "y"}, 1),  # two images have it
        ("3.png,y\n3.png, y\n", {3: "y"}, 0),  # said twice is no contradiction
        ("3.png,y\n2.png,\nnobody.png,\n", {3: "y"}, 0),  # no class, no line
        ("3.png,<script>alert(1)</script>\n", {3: "<script>alert(1)</script>"}, 0),
        ("'=1.png,'-40 dB\n", {4: "-40 dB"}, 0),
        ("3.png,y,more,cells\nlonely\n\n", {3: "y"}, 0),
    ],
)
def test_what_a_csv_says(text: str, labels: dict[int, str], unknown: int) -> None:
    found = from_csv(text.encode(), NAMES)
    assert (found.by_image, found.unknown) == (labels, unknown)


def test_lines_that_say_nothing_of_the_stack_are_counted_and_named_up_to_a_bound() -> None:
    lines = [f"{number}.jpg,x" for number in range(300)]
    found = from_csv("\n".join(["3.png,y", "2.png,", "lonely", "", ",", *lines]).encode(), NAMES)
    assert (found.unknown, found.without_class) == (300, 2)
    assert found.unknown_names[:2] == ("0.jpg", "1.jpg")
    assert len(found.unknown_names) == 100


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "names no image of this stack"),
        (b"4.png,x\n5.png,x\n", "names no image of this stack"),
        (b"\xff\xfe3.png,x", "not a CSV in UTF-8"),
        (b'3.png,"' + b"x" * 200_000, "not a CSV in UTF-8"),
        (b"3.png,x\n2.png,x\n3.png,y\n", "gives '3.png' two classes, 'x' and 'y' in line 3; leave one"),
        (b"set/b/2.png,x\n2.png,y\n", "gives '2.png' two classes"),
        (b"3.png,=HYPERLINK(1)\n", "The class in line 1 reads like a formula"),
        (b"3.png,a\x00b\n", "The class in line 1 holds characters that cannot be shown"),
        (b"3.png," + b"x" * 300, "The class in line 1 has 300 characters"),
        (b"3.png,x\n" * 1_000_000, f"more than {MAX_LINES:,} lines"),
        (b"3.png,x\n" + b" " * MAX_BYTES, "more than 8 MB"),
    ],
)
def test_hostile_files_get_one_short_sentence(data: bytes, message: str) -> None:
    with pytest.raises(LabelsInvalid, match=message) as caught:
        from_csv(data, NAMES)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def usable(label: str) -> bool:
    try:
        return clean_label(label, "") == label
    except LabelsInvalid:
        return False


@given(st.dictionaries(st.integers(0, len(NAMES) - 1), st.text(min_size=1, max_size=20).filter(usable), min_size=1))
def test_what_is_written_is_read_back(labels: dict[int, str]) -> None:
    text = to_csv(labels, NAMES)
    assert from_csv(text.encode(), NAMES).by_image == labels
    assert not any(line.startswith(("=", "+", "@")) for line in text.splitlines())


def test_folders_in_a_zip_hold_the_files_as_they_came(make_stack: MakeStack) -> None:
    files = {"x/1.png": grey_png(1), "y/1.png": grey_png(2), "y/2.png": grey_png(3)}
    stack = make_stack(files)
    pieces = list(to_folders({0: "a/../b", 1: "a/../b", 2: ".."}, stack))
    assert len(pieces) == 4
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        found = {info.filename: archive.read(info) for info in archive.infolist()}
    assert found == {"a_.._b/1.png": files["x/1.png"], "a_.._b/1-2.png": files["y/1.png"], "_/2.png": files["y/2.png"]}
    assert not any(".." in name.split("/") for name in found)
