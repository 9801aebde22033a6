"""Formats by registration: one file more, and everything from the upload to the model's input knows it."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from core.api import create_api
from core.base.errors import ArchiveEmpty, ImageError, LimitExceeded
from core.base.settings import Settings
from core.base.workers import Priority
from core.images import formats
from core.images.formats.format import ImageHeader, InMemory
from core.images.formats.png import FORMAT as PNG
from core.images.preprocessing import STANDARD, Preprocessing
from core.models.registry import ModelRegistry
from core.recognition.service import RecognitionService
from core.stacks.sources.rules import Candidate, select
from core.stacks.sources.source import Kinds
from core.stacks.store import StackStore
from tests.builders import photo_png, zip_bytes
from tests.conftest import MakeStack
from tests.helpers import SECONDS

# Frames of raw grey values, 16 bits each: "RAW1", then one byte each for frames, width and height.
DUMMY = """
import numpy as np
from core.base.errors import ImageError
from core.images.formats.format import ImageHeader, check_size


class Raw:
    name = "Raw"
    extensions = (".raw", ".rw2")
    media_type = "image/x-raw"
    head_bytes = 4
    reads_parts = False
    names_people = False
    read = []
    seen = 0

    def matches(self, head):
        return head.startswith(b"RAW1")

    def read_headers(self, file):
        head = file.read(0, 7)
        if len(head) < 7 or not self.matches(head):
            raise ImageError("The Raw file is damaged; copy it again.")
        frames, width, height = head[4:]
        return self.frames(frames, width, height)

    def frames(self, count, width, height):
        for number in range(count):
            self.seen += 1
            yield ImageHeader(width, height, 16, "grey", f"z {number}")

    def decode(self, file, frame=0, *, max_pixels, at_least=None):
        header = list(self.read_headers(file))[frame]
        check_size(header, max_pixels)
        size = 2 * header.pixels
        self.read.append((7 + frame * size, size))
        data = file.read(7 + frame * size, size)
        if len(data) != size:
            raise ImageError("The Raw file ends too early; copy it again.")
        return np.frombuffer(data, "<u2").reshape(header.height, header.width, 1)

    def browsers_show(self, header):
        return False

    def for_browser(self, file, frame=0):
        raise AssertionError("no browser shows it")


FORMAT = Raw()
"""
FRAMES = np.random.default_rng(5).integers(100, 4000, (3, 20, 30)).astype("<u2")
RAW = b"RAW1" + bytes([3, 30, 20]) + FRAMES.tobytes()


@pytest.fixture
def dummy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One file in a folder that the package looks into too."""
    folder = tmp_path / "formats"
    folder.mkdir()
    (folder / "raw.py").write_text(DUMMY)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(folder)])
    _forget()
    yield
    sys.modules.pop("core.images.formats.raw", None)
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    formats.formats.cache_clear()


def test_what_ships_is_found_by_itself() -> None:
    found = {one.name: one for one in formats.formats()}
    assert (found["PNG"].extensions, found["PNG"].media_type) == ((".png", ".apng"), "image/png")
    assert {"BMP", "GIF", "JPEG", "PNG", "PNM", "WebP"} <= found.keys()
    assert formats.format_names().count(" or ") == 1
    endings = [ending for one in formats.formats() for ending in one.extensions]
    assert len(set(endings)) == len(endings), "a name has one format"
    assert all(ending == ending.lower() for ending in endings)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_one_more_file_is_a_format_from_the_upload_to_the_model(
    dummy: None, store: StackStore, compression: int
) -> None:
    assert "Raw" in formats.format_names()
    files = {"cells.raw": RAW, "photo.png": photo_png(), "SINGLE.RW2": RAW[:4] + b"\1" + RAW[5:1207]}
    stack = store.create(io.BytesIO(zip_bytes(files, compression)), "cells.zip")
    names = [entry.name for entry in stack.entries]
    assert names == ["cells.raw · z 0", "cells.raw · z 1", "cells.raw · z 2", "photo.png", "SINGLE.RW2"]
    assert [(entry.format.name, entry.frame) for entry in stack.entries[:3]] == [("Raw", 0), ("Raw", 1), ("Raw", 2)]
    assert stack.entries[1].header.description == "16-bit grey"
    for index in range(3):
        stack.prepare(index, Priority.VISIBLE).result(SECONDS)
        np.testing.assert_array_equal(stack.values(index)[..., 0], FRAMES[index])
        low, high = FRAMES[index].min(), FRAMES[index].max()
        shown = np.rint((FRAMES[index].astype(float) - low) / (high - low) * 255)
        picture = stack.picture(index)
        assert picture.media_type == "image/png"
        assert np.abs(np.asarray(Image.open(io.BytesIO(picture.content)).convert("RGB"))[..., 0] - shown).max() <= 1
        assert Image.open(io.BytesIO(stack.thumbnail(index))).size == (30, 20)
        out = np.zeros(STANDARD.input_shape, np.uint8)
        stack.inputs(STANDARD).read(index, out)
        assert out.max() > out.min()
    assert stack.original(1) == RAW


def test_frames_beyond_the_limit_are_not_even_looked_at(dummy: None) -> None:
    data = b"RAW1" + bytes([250, 30, 20])
    candidate = Candidate("cells.raw", len(data), InMemory(data))
    with pytest.raises(LimitExceeded, match="more than 50 images"):
        select([candidate], Settings(max_entries=50))
    raw = formats.format_of(data)
    assert getattr(raw, "seen") == 51  # noqa: B009 - of this made up format alone


def test_frames_of_all_sizes_keep_their_own_headers_and_names() -> None:
    kinds = Kinds()
    headers = [ImageHeader(width, 7, 16, "grey", f"z {width}") for width in (5, 6, 5)]
    numbers = [kinds.number(PNG, header) for header in headers]
    assert numbers == [0, 1, 0], "a label makes no kind"
    assert [kinds.header(number).width for number in numbers] == [5, 6, 5]
    assert not any(kinds.header(number).label for number in numbers)


def test_readers_of_a_file_share_its_key_and_no_other_has_it(make_stack: MakeStack) -> None:
    files = {"a.png": photo_png(), "b.png": photo_png(seed=1)}
    first, second = make_stack(files), make_stack(files)
    assert first.file(0).key == first.file(0).key
    assert len({first.file(0).key, first.file(1).key, second.file(0).key, InMemory(RAW).key, InMemory(RAW).key}) == 5


def test_the_api_serves_it_under_its_own_media_type(
    dummy: None, store: StackStore, registry: ModelRegistry, settings: Settings
) -> None:
    stack = store.create(io.BytesIO(zip_bytes({"cells.raw": RAW})), "cells.zip")
    base = f"/api/v1/stacks/{stack.id}/images/2"
    with TestClient(create_api(store, registry, settings, RecognitionService(settings))) as client:
        original = client.get(base)
        assert (original.content, original.headers["content-type"]) == (RAW, "image/x-raw")
        assert client.get(f"{base}/display").headers["content-type"] == "image/png"
        assert client.get(f"{base}/thumbnail").headers["content-type"] == "image/jpeg"
        values = np.frombuffer(client.get(f"{base}/values").content, "<u2").reshape(20, 30)
    np.testing.assert_array_equal(values, FRAMES[2])


def test_of_many_frames_only_the_one_asked_for_is_read(dummy: None, make_stack: MakeStack) -> None:
    stack = make_stack({"cells.raw": RAW})
    for index in range(3):
        stack.prepare(index, Priority.VISIBLE).result(SECONDS)
    read = stack.entries[0].format.read
    read.clear()
    stack.values(1)
    assert set(read) == {(7 + 1200, 1200)}


def test_a_damaged_file_of_it_is_left_out_with_its_own_reason(dummy: None, make_stack: MakeStack) -> None:
    stack = make_stack({"a.raw": b"RAW", "b.raw": b"PNG" + photo_png(), "c.raw": RAW[:-1], "notes.txt": b""})
    assert [entry.name for entry in stack.entries] == ["c.raw · z 0", "c.raw · z 1", "c.raw · z 2"]
    assert {item.name: item.reason for item in stack.skipped} == {
        "a.raw": "The Raw file is damaged; copy it again.",
        "b.raw": "The Raw file is damaged; copy it again.",
        "notes.txt": f"Not an image that can be read; convert it to {formats.format_names()}.",
    }
    stack.prepare(2, Priority.VISIBLE).result(SECONDS)
    assert stack.error(2) == "The Raw file ends too early; copy it again."


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("IMG_1.HEIC", "A HEIC photo, which cannot be read; export it as JPEG"),
        ("a/brain.nii.gz", "A NIfTI volume, which cannot be read; export its slices as PNG"),
        ("a.b.mp4", "A film, which cannot be read; export its frames as PNG."),
        ("heic", "Not an image that can be read; convert it to"),
        ("a.gz", "Not an image that can be read; convert it to"),
    ],
)
def test_what_is_known_and_not_read_is_called_by_its_name(make_stack: MakeStack, name: str, sentence: str) -> None:
    stack = make_stack({"a.png": photo_png(), name: b"anything"})
    (skipped,) = stack.skipped
    assert (skipped.name, skipped.code) == (name, "not_an_image")
    assert skipped.reason.startswith(sentence)


def test_no_ending_that_is_read_is_said_to_be_unread() -> None:
    for one in formats.formats():
        for ending in one.extensions:
            assert formats.why_unread(f"a{ending}").startswith("Not an image"), ending


def test_without_it_such_a_file_is_no_image(make_stack: MakeStack) -> None:
    with pytest.raises(ArchiveEmpty, match=rf"1 not an image\); pack {formats.format_names()} images"):
        make_stack({"cells.raw": RAW})


@pytest.mark.parametrize("data", [b"", b"RAW1", RAW, b"%PDF-1.7", b"\x89PNG"])
def test_bytes_of_no_format_are_refused_with_what_could_be_read(data: bytes) -> None:
    with pytest.raises(ImageError, match=rf"not a {formats.format_names()} image; export it as"):
        formats.decode(data, max_pixels=1000)


def test_bytes_find_their_format(dummy: None) -> None:
    assert formats.decode(RAW, max_pixels=1000).shape == (20, 30, 1)
    assert formats.decode(photo_png(), max_pixels=2000).shape == (30, 40, 3)
    assert formats.format_of(RAW).name == "Raw"


@pytest.mark.parametrize(("start", "count"), [(0, None), (0, 5), (3, None), (3, 5), (0, 100), (50, 5), (8, 0)])
def test_a_file_in_memory_reads_like_any_other(start: int, count: int | None) -> None:
    data = bytes(range(20))
    end = None if count is None else start + count
    assert InMemory(data).read(start, count) == data[start:end]
    assert InMemory(data).size == 20


def test_two_models_with_other_inputs_look_at_one_stack(make_stack: MakeStack) -> None:
    """The second one's inputs are made when they are asked for, once, and take room in the quota."""
    stack = make_stack({f"{number}.png": photo_png(50, 40, seed=number) for number in range(3)})
    other = Preprocessing(resize=40, crop=32, interpolation="bicubic", color_order="BGR")
    inputs = stack.inputs(other)
    with pytest.raises(ValueError, match="never written"):
        inputs.read(0, np.empty(inputs.shape, np.uint8))
    for index, job in inputs.prepare_ahead(range(3)):
        job.result(SECONDS)
        out = np.empty(inputs.shape, np.uint8)
        inputs.read(index, out)
        rgb = Image.fromarray(stack.values(index)).resize((50, 40), Image.Resampling.BICUBIC)
        wanted = np.asarray(rgb)[4:36, 9:41, ::-1]
        assert np.abs(out.astype(int) - wanted).max() <= 1
        assert stack.inputs(other).prepare(index, Priority.VISIBLE) is job, "made once"
    same_pixels = Preprocessing(resize=40, crop=32, interpolation="bicubic", color_order="BGR", mean=(0, 0, 0))
    assert stack.inputs(same_pixels).prepare(0, Priority.VISIBLE).done()
