"""Files whose names say nothing, or something wrong: their first bytes tell, and only registered formats read them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import ArchiveEmpty, NotAZip
from core.base.settings import Settings
from core.images.formats import format_of_content, says_nothing
from core.images.formats.format import InMemory
from core.stacks.sources import open_parts, open_source
from core.stacks.sources.parts import Part
from core.stacks.sources.rules import Candidate, select
from core.stacks.sources.source import Scratch, Source
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from tests.builders import photo_png, zip_bytes
from tests.conftest import MakeStack
from tests.dicom_files import CT, SECRETS, dicom
from tests.pictures import picture, saved
from tests.tiffs import tiff

PNG, JPEG, DICOM = photo_png(), saved(picture(30, 20), "JPEG"), dicom(CT)
SLICES = dict.fromkeys(("scan/IM0001", "scan/IM0002", "scan/1.2.840.10008.3.7", "DICOM"), DICOM)
Open = Callable[[Mapping[str, bytes]], Source]


@pytest.fixture(params=["zip", "folder", "files"])
def open_files(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings) -> Open:
    """Files as each kind of source has them."""

    def opened(files: Mapping[str, bytes]) -> Source:
        path = tmp_path / "files"
        if request.param == "zip":
            path.write_bytes(zip_bytes(files))
        elif request.param == "files":
            path.write_bytes(b"".join(files.values()))
            starts = np.cumsum([0, *map(len, files.values())])
            parts = [Part(name, int(start), len(files[name])) for name, start in zip(files, starts, strict=False)]
            return open_parts(path, parts, settings, Scratch(tmp_path))
        else:
            for name, data in files.items():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).write_bytes(data)
        return open_source(path, settings)

    return opened


def test_names_without_an_ending_are_looked_into(open_files: Open) -> None:
    with open_files({**SLICES, "photo": JPEG, "README": b"Slices of a phantom.\n", "empty": b""}) as source:
        found = {entry.name: entry.format.name for entry in source.entries}
        assert found == dict.fromkeys(SLICES, "DICOM") | {"photo": "JPEG"}
        assert {item.name: item.code for item in source.skipped} == {"README": "not_an_image", "empty": "not_an_image"}
        assert source.read([*found].index("scan/IM0002")) == DICOM


def test_a_wrong_ending_is_no_reason_to_leave_an_image_out(open_files: Open) -> None:
    wrong = {"a.jpg": PNG, "b.png": DICOM, "c.dcm": JPEG, "d.tif": tiff(CT)}
    with open_files(wrong) as source:
        assert {entry.name: entry.format.name for entry in source.entries} == {
            "a.jpg": "PNG", "b.png": "DICOM", "c.dcm": "JPEG", "d.tif": "TIFF",
        }  # fmt: skip
        assert source.skipped == ()


def test_what_no_format_reads_is_left_out_with_the_reason_of_its_name(open_files: Open) -> None:
    files = {
        "a.png": b"no image",
        "b.heic": JPEG,
        "c.txt": JPEG,
        "d": zip_bytes({"a.png": PNG}),
        ".e": PNG,
        "f.png": PNG,
    }
    with open_files({**files, "g": DICOM[:200], "h.jpg": PNG[:20]}) as source:
        assert [entry.name for entry in source.entries] == ["f.png"]
        assert {item.name: item.code for item in source.skipped} == {
            "a.png": "image_invalid", "b.heic": "not_an_image", "c.txt": "not_an_image", "d": "not_an_image",
            ".e": "hidden", "g": "image_invalid", "h.jpg": "image_invalid",
        }  # fmt: skip
        assert "HEIC" in next(item.reason for item in source.skipped if item.name == "b.heic")


def test_limits_are_those_of_what_it_is(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zip_bytes({"photo": JPEG, "b.tif": JPEG, "slice": DICOM}))
    small = settings.model_copy(update={"max_entry_bytes": len(JPEG) - 1, "max_pixels": 37 * 22})
    with open_source(path, small) as source:
        assert [entry.name for entry in source.entries] == ["slice"], "which is read in parts"
        assert {item.name: item.code for item in source.skipped} == dict.fromkeys(("photo", "b.tif"), "entry_too_large")
    with pytest.raises(ArchiveEmpty, match="3 image too large"):
        open_source(path, settings.model_copy(update={"max_pixels": 10}))


class _Watched(InMemory):
    """A file that knows what was read of it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads = 0

    def read(self, start: int = 0, count: int | None = None) -> bytes:
        self.reads += 1
        return super().read(start, count)


def test_names_are_all_that_is_looked_at_where_they_say_what_a_file_is(settings: Settings) -> None:
    """Thousands of notes beside the images cost nothing, and images no more than they did."""
    files = {name: _Watched(data) for name, data in {"a.txt": JPEG, "b.heic": JPEG, ".c": PNG, "d.png": PNG}.items()}
    selection = select([Candidate(name, file.size, file) for name, file in files.items()], settings)
    assert [entry.name for entry in selection.entries] == ["d.png"]
    alone = _Watched(PNG)
    list(format_of_content(InMemory(PNG)).read_headers(alone))  # type: ignore[union-attr]
    assert {name: file.reads for name, file in files.items()} == {
        "a.txt": 0,
        "b.heic": 0,
        ".c": 0,
        "d.png": alone.reads,
    }


@pytest.mark.parametrize(
    ("name", "nothing"),
    [
        ("IM1", True),
        ("a.b/IM1", True),
        ("1.2.3", True),
        ("a.7z", False),
        ("a.png", False),
        ("a.", False),
        (".a", False),
        ("a/", False),
    ],
)
def test_which_names_say_nothing(name: str, nothing: bool) -> None:
    assert says_nothing(name) is nothing


def test_a_single_file_may_have_no_ending_too(store: StackStore) -> None:
    assert [entry.format.name for entry in store.create(io.BytesIO(DICOM), "IM0001").entries] == ["DICOM"]
    assert len(store.create(io.BytesIO(zip_bytes({"a.png": PNG})), "stack")) == 1
    with pytest.raises(NotAZip):
        store.create(io.BytesIO(b"no image"), "IM0001")


def test_whose_images_they_are_is_not_passed_on(make_stack: MakeStack) -> None:
    stack: ImageStack = make_stack({"a.dcm": DICOM, "IM2": DICOM, "c.png": PNG})
    for index, name in enumerate(("a.dcm.png", "c.png", "IM2.png")):
        found, data = stack.as_file(index)
        assert found == name
        assert data.startswith(b"\x89PNG")
        assert not any(secret.encode() in data for secret in SECRETS)
    assert stack.as_file(1)[1] == PNG
