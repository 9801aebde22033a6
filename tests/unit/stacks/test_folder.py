"""A folder as a source: read in place, never beyond it, and whatever happens to its files is an error of one image."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.base.errors import ArchiveEmpty, ArchiveError, ImageError, LimitExceeded
from core.base.settings import Settings
from core.stacks.sources import open_source
from core.stacks.sources.names import MAX_FOLDERS
from core.stacks.sources.source import Source
from core.stacks.store import StackStore
from tests.builders import BROKEN_PNGS, photo_png, zip_bytes
from tests.helpers import open_files
from tests.unit.conftest import Open, names, skipped

FILES = {f"b/{number}.png": photo_png(seed=number) for number in (10, 9)} | {"a.png": photo_png(seed=1)}
SECRET = photo_png(seed=99)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of ``FILES``, and beside it one with a secret."""
    write(tmp_path / "inside", FILES)
    write(tmp_path / "outside", {"secret.png": SECRET})
    return tmp_path / "inside"


@pytest.fixture
def opened(folder: Path) -> Iterator[Callable[..., Source]]:
    """Open the folder, under settings of one's choice."""
    made: list[Source] = []

    def open_folder(**limits: int) -> Source:
        made.append(open_source(folder, Settings(**limits)))
        return made[-1]

    yield open_folder
    for source in made:
        source.close()


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_it_gives_what_its_zip_gives(folder: Path, opened: Callable[..., Source], open_zip: Open) -> None:
    others = {"notes.txt": b"x", "b/broken.png": b"text", ".hidden.png": SECRET, "b/Thumbs.db": b"x"}
    write(folder, others)
    source, zipped = opened(), open_zip(zip_bytes(FILES | others))
    assert names(source) == names(zipped) == ["a.png", "b/9.png", "b/10.png"]
    assert skipped(source) == skipped(zipped)
    for index, entry in enumerate(source.entries):
        assert source.read(index) == FILES[entry.name]
        assert (entry.file_size, entry.header) == (zipped.entries[index].file_size, zipped.entries[index].header)


def test_parts_of_a_file_are_read_alone(opened: Callable[..., Source]) -> None:
    file, data = opened().file(0), FILES["a.png"]
    assert file.size == len(data)
    assert [file.read(3, 5), file.read(len(data) - 2, 9), file.read(len(data) + 5), file.read(9)] == [
        data[3:8],
        data[-2:],
        b"",
        data[9:],
    ]
    assert b"".join(file.pieces()) == data
    assert b"".join(file.pieces(40)) == data[40:]


def test_no_link_is_followed_and_nothing_special_is_opened(folder: Path, opened: Callable[..., Source]) -> None:
    (folder / "link.png").symlink_to(folder.parent / "outside" / "secret.png")
    (folder / "to itself.png").symlink_to("a.png")
    (folder / "dangling.png").symlink_to("nothing")
    (folder / "linked").symlink_to(folder.parent / "outside")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket.png"))
        source = opened()
    assert names(source) == ["a.png", "b/9.png", "b/10.png"]
    left_out = ["dangling.png", "link.png", "linked", "pipe.png", "round", "socket.png", "to itself.png"]
    assert sorted(skipped(source)) == left_out
    assert set(skipped(source).values()) == {"special_file"}


def test_a_link_to_a_folder_may_be_named_itself(folder: Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    with open_source(folder.parent / "link", Settings()) as source:
        assert len(source.entries) == 3


def test_hidden_folders_are_not_looked_into(folder: Path, opened: Callable[..., Source]) -> None:
    write(folder, {f".git/objects/{number}.png": SECRET for number in range(5)} | {"__MACOSX/x.png": SECRET})
    assert skipped(opened(max_entries=6)) == {".git": "hidden", "__MACOSX": "hidden"}


def replaced(path: Path) -> None:
    path.unlink()
    path.write_bytes(SECRET)


def made_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parents[1] / "outside" / "secret.png")


def made_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (Path.unlink, "not there any more"),
    "replaced": (replaced, "has changed"),
    "cut off": (lambda path: os.truncate(path, 30), "has changed"),
    "longer": (lambda path: path.write_bytes(FILES["a.png"] + b"x"), "has changed"),
    "other bytes": (lambda path: path.write_bytes(SECRET[: len(FILES["a.png"])].ljust(len(FILES["a.png"]))), "changed"),
    "a link": (made_a_link, "link"),
    "a pipe": (made_a_pipe, "has changed"),
    "a folder": (made_a_folder, "has changed"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_happens_to_a_file_is_an_error_of_that_image_alone(
    folder: Path, opened: Callable[..., Source], change: str
) -> None:
    os.utime(folder / "a.png", ns=(1, 1))
    source = opened()
    act, sentence = CHANGES[change]
    act(folder / "a.png")
    for read in (source.file(0).read, lambda: source.file(0).read(0, 33), lambda: list(source.file(0).pieces())):
        with pytest.raises(ImageError, match=sentence):
            read()
    assert source.read(1) == FILES["b/9.png"]


def test_a_folder_that_becomes_a_link_leads_nowhere(folder: Path, opened: Callable[..., Source]) -> None:
    """Same name, same size, same time: only the way to it is another."""
    source = opened()
    (folder / "b").rename(folder.parent / "moved")
    (folder / "b").symlink_to(folder.parent / "moved")
    with pytest.raises(ImageError):
        source.read(1)
    (folder / "b").unlink()
    (folder.parent / "moved").rename(folder / "b")
    assert source.read(1) == FILES["b/9.png"]


def test_the_folder_itself_may_be_moved(folder: Path, opened: Callable[..., Source]) -> None:
    source = opened()
    folder.rename(folder.parent / "elsewhere")
    assert source.read(0) == FILES["a.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said(folder: Path, opened: Callable[..., Source]) -> None:
    (folder / "b").chmod(0)
    assert skipped(opened()) == {"b": "unreadable"}
    (folder / "b").chmod(0o700)
    folder.chmod(0)
    with pytest.raises(ArchiveError, match="permissions"):
        opened()
    folder.chmod(0o700)


def test_names_that_are_no_text_are_repaired(folder: Path, opened: Callable[..., Source]) -> None:
    for name in (b"\xff.png", "é.png".encode(), b"line\nbreak.png", "\u202egnp.exe.png".encode()):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(SECRET)
    source = opened()
    assert {"é.png", b"\xff.png".decode("cp437")} == {name for name in names(source) if not name.isascii()}
    assert skipped(source) == {"line\ufffdbreak.png": "unsafe_name", "\ufffdgnp.exe.png": "unsafe_name"}
    assert source.read(names(source).index("é.png")) == SECRET


def test_folders_without_end_are_left_out(folder: Path, opened: Callable[..., Source]) -> None:
    deep = "/".join("d" * (MAX_FOLDERS + 1))
    write(folder, {f"{deep}/x.png": SECRET})
    assert set(skipped(opened()).values()) == {"unsafe_name"}
    assert "d/d/x.png" not in names(opened())


@pytest.mark.parametrize(
    "files", [{}, {"notes.txt": b"x"}, {"a.png": BROKEN_PNGS["text"]}], ids=["none", "text", "bad"]
)
def test_a_folder_without_images_is_refused_and_let_go_of(tmp_path: Path, files: dict[str, bytes]) -> None:
    (tmp_path / "f").mkdir()
    write(tmp_path / "f", files)
    before = open_files(tmp_path)
    with pytest.raises(ArchiveEmpty):
        open_source(tmp_path / "f", Settings())
    assert open_files(tmp_path) == before


def test_the_number_of_files_is_limited(folder: Path, opened: Callable[..., Source]) -> None:
    with pytest.raises(LimitExceeded, match="more than 3 files and folders"):
        opened(max_entries=3)  # a.png, b and what is in it
    assert len(opened(max_entries=4).entries) == 3


def test_nothing_stays_open_but_the_folder(tmp_path: Path, folder: Path) -> None:
    before = open_files(tmp_path)
    source = open_source(folder, Settings())
    reader = source.file(0)
    assert open_files(tmp_path) == before + 1
    source.close()
    source.close()
    assert open_files(tmp_path) == before
    with pytest.raises(ValueError, match="closed"):
        reader.read()


def test_a_stack_in_place_copies_nothing_and_leaves_the_folder_as_it_is(folder: Path, store: StackStore) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    stack = store.open(folder, "photos", "somebody")
    for index in range(len(stack)):
        assert stack.original(index) == FILES[stack.entries[index].name]
        assert stack.thumbnail(index)
    assert not [path for path in store.folder.rglob("*") if path.is_file() and path.name != "lock"]
    store.delete(stack.id)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert store.usage.bytes == store.usage.stacks == 0


def test_a_refused_folder_takes_no_place(tmp_path: Path, store: StackStore) -> None:
    (tmp_path / "empty").mkdir()
    for path, error in ((tmp_path / "empty", ArchiveEmpty), (tmp_path / "missing", OSError)):
        with pytest.raises(error):
            store.open(path, "x", "somebody")
    assert store.usage.stacks == 0
    assert not [path for path in store.folder.iterdir() if path.name != "lock"]


def test_only_clients_are_held_to_a_number_of_files(folder: Path, settings: Settings) -> None:
    store = StackStore(settings.model_copy(update={"max_entries": 2}))
    try:
        with pytest.raises(LimitExceeded):
            store.open(folder, "x", "somebody")
        assert len(store.open(folder, "x")) == 3, "the commands of whoever runs this are not"
    finally:
        store.close()


def test_an_image_that_has_gone_is_an_error_of_the_stack_too(folder: Path, store: StackStore) -> None:
    stack = store.open(folder, "photos")
    (folder / "a.png").unlink()
    with pytest.raises(ImageError, match="not there any more"):
        stack.values(0)
    assert stack.values(1).shape == (30, 40, 3)
