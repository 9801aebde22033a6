"""Sources by registration: one file more, and a stack can be made of something else than a ZIP."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import ArchiveEmpty, NotAZip
from core.base.workers import Priority
from core.images.formats import format_names
from core.stacks import sources
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from tests.builders import photo_png, zip_bytes
from tests.helpers import SECONDS

# A text file: "LIST", then lines of a path and its file in base64.
DUMMY = """
import base64
from core.images.formats.format import InMemory
from core.stacks.sources.rules import Candidate, select
from core.stacks.sources.source import Source


class ListSource(Source):
    def __init__(self, path, settings, scratch):
        lines = [line.split("|") for line in path.read_text().splitlines()[1:]]
        files = [(name, base64.b64decode(data)) for name, data in lines]
        selection = select([Candidate(name, len(data), InMemory(data)) for name, data in files], settings)
        self.entries, self.skipped = selection.entries, selection.skipped
        self.files = [InMemory(files[place][1]) for place in selection.places]

    def file(self, index):
        return self.files[index]

    def close(self):
        pass


class Kind:
    name = "list"
    open = ListSource

    def matches(self, path):
        with path.open("rb") as file:
            return file.read(5) == b"LIST\\\\n"


SOURCE = Kind()
""".replace("\\\\", "\\")


def listed(files: dict[str, bytes]) -> io.BytesIO:
    return io.BytesIO(b"LIST\n" + b"".join(b"%s|%s\n" % (n.encode(), base64.b64encode(d)) for n, d in files.items()))


@pytest.fixture
def dummy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One file in a folder that the package looks into too."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "lists.py").write_text(DUMMY)
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(folder)])
    sources.sources.cache_clear()
    yield
    sys.modules.pop("core.stacks.sources.lists", None)
    monkeypatch.undo()
    sources.sources.cache_clear()


def model_input(stack: ImageStack, index: int) -> np.ndarray:
    inputs = stack.inputs()
    inputs.prepare(index, Priority.VISIBLE).result(SECONDS)
    out = np.empty(inputs.shape, np.uint8)
    inputs.read(index, out)
    return out


def test_what_ships_is_found_by_itself() -> None:
    assert [kind.name for kind in sources.sources()] == ["folder", "TAR archive", "ZIP archive"]


def test_one_more_file_is_a_source_with_the_rules_of_all_others(dummy: None, store: StackStore) -> None:
    files = {f"b/{number}.png": photo_png(seed=number) for number in (10, 9)}
    others = {"../up.png": photo_png(), "notes.txt": b"x", "a/broken.png": b"text", ".hidden.png": photo_png()}
    stack = store.create(listed(files | others), "pictures.list")
    assert [entry.name for entry in stack.entries] == ["b/9.png", "b/10.png"]
    assert {item.name: item.code for item in stack.skipped} == {
        "../up.png": "unsafe_name",
        "notes.txt": "not_an_image",
        "a/broken.png": "image_invalid",
        ".hidden.png": "hidden",
    }
    same = store.create(io.BytesIO(zip_bytes(files)), "pictures.zip")
    for index in range(2):
        assert stack.original(index) == same.original(index)
        assert np.array_equal(model_input(stack, index), model_input(same, index))


@pytest.mark.parametrize(("head", "kind"), [(b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07\x01\x00", "RAR")])
def test_archives_that_cannot_be_opened_are_told_by_their_content(store: StackStore, head: bytes, kind: str) -> None:
    with pytest.raises(NotAZip, match=f"is a {kind} archive, which cannot be opened. Pack"):
        store.create(io.BytesIO(head + bytes(100)), "misnamed.zip")
    assert len(store) == 0


def test_one_image_is_a_stack_of_one_by_its_name(store: StackStore) -> None:
    assert [entry.name for entry in store.create(io.BytesIO(photo_png()), "a.PNG").entries] == ["a.PNG"]
    with pytest.raises(NotAZip):
        store.create(io.BytesIO(photo_png()), "a.zip")
    with pytest.raises(ArchiveEmpty, match="1 image invalid"):
        store.create(io.BytesIO(b"text"), "a.png")
    assert len(store) == 1


def test_what_no_source_knows_is_refused_with_what_could_be_opened(dummy: None, store: StackStore) -> None:
    names = rf"not a ZIP archive, TAR archive, list or folder; pack the {format_names()} images into one\."
    with pytest.raises(NotAZip, match=names):
        store.create(io.BytesIO(b"LISA"), "a.zip")
    with pytest.raises(ArchiveEmpty, match="is empty"):
        store.create(listed({}), "a.list")
    assert len(store) == 0
