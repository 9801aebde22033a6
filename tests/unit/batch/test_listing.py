"""What a source names, and what it leaves out."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from core.base.errors import InvalidRequest, ManifestInvalid
from core.batch.listing import Listing, list_source

pytestmark = pytest.mark.batch
FILES = ("a.png", "b.jpg", "deep/er/c.PNG", "deep/d.tif", "notes.txt", ".hidden.png", ".git/e.png", "shards/one.tar")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(FILES):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * number)
    (tmp_path / "images" / "loop").symlink_to(tmp_path / "images")
    return tmp_path / "images"


def names(listing: Listing, folder: Path) -> list[str]:
    return sorted(str(Path(file.path).relative_to(folder)) for file in listing)


def test_a_folder_gives_images_and_archives_and_counts_the_rest(folder: Path) -> None:
    listing = list_source(str(folder))
    assert names(listing, folder) == ["a.png", "b.jpg", "deep/d.tif", "deep/er/c.PNG", "shards/one.tar"]
    assert listing.left_out == {"hidden": 2, "no image by its name": 1, "links": 1}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.png", ["a.png"]),
        ("**/*.[pP][nN][gG]", ["a.png", "deep/er/c.PNG"]),
        ("deep/*", ["deep/d.tif"]),
        ("?.jpg", ["b.jpg"]),
        ("[!a].*", ["b.jpg"]),
        ("*.gif", []),
    ],
)
def test_patterns_name_files_as_in_a_shell(folder: Path, pattern: str, found: list[str]) -> None:
    listing = list_source(f"{folder}/{pattern}")
    assert [name for name in names(listing, folder) if not name.startswith(".")] == found


def test_size_and_time_are_those_of_the_file(folder: Path) -> None:
    [file] = list_source(str(folder / "b.jpg"))
    status = (folder / "b.jpg").stat()
    assert (file.path, file.size, file.changed) == (str(folder / "b.jpg"), status.st_size, status.st_mtime_ns)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_list_names_files_beside_it_and_anywhere(folder: Path, tmp_path: Path, ending: str) -> None:
    wanted = ["images/b.jpg", str(folder / "a.png"), "images/gone.png"]
    frame = pd.DataFrame({"other": [1, 2, 3], "path": wanted})
    frame.to_csv(tmp_path / "list.csv", index=False)
    frame.to_parquet(tmp_path / "list.parquet")
    found = list(list_source(str(tmp_path / f"list.{ending}")))
    assert [file.path for file in found] == [str(folder / name) for name in ("b.jpg", "a.png", "gone.png")]
    assert [file.size for file in found] == [1, 0, 0]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("list.csv", b"file,label\na.png,1\n", "no column “path” (found: file, label)"),
        ("list.csv", b"", "no column “path”"),
        ("list.csv", b"path\n\xff\xfe\n", "no CSV file of text in UTF-8"),
        ("list.parquet", b"path\na.png\n", "no Parquet file"),
    ],
)
def test_a_wrong_list_is_said_in_a_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestInvalid, match=sentence.replace("(", r"\(").replace(")", r"\)")):
        list(list_source(str(tmp_path / name)))


def test_a_list_of_two_stores_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\nmemory://a/x.png\ns3://b/y.png\n")
    with pytest.raises(ManifestInvalid, match=r"several stores, such as s3://b/y\.png"):
        list(list_source(str(tmp_path / "list.csv")))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("gone", "there is nothing there"),
        ("images/notes.txt", "neither an image"),
        ("nosuch://bucket/x", "no address that can be read here"),
    ],
)
def test_what_is_no_source_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest, match=sentence):
        list_source(source)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_that_may_not_be_read_is_named(folder: Path) -> None:
    (folder / "deep").chmod(0)
    listing = list_source(str(folder))
    found = names(listing, folder)
    (folder / "deep").chmod(0o755)
    assert "a.png" in found
    assert listing.unreadable == [str(folder / "deep")]


def test_a_store_of_fsspec_is_listed_like_a_folder() -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.pipe({"/listed/a.png": b"12", "/listed/deep/b.png": b"3", "/listed/c.txt": b""})
    listing = list_source("memory://listed")
    found = sorted((listing.store.address(file.path), file.size) for file in listing)
    assert [size for _, size in found] == [2, 1]
    assert all(address.startswith("memory://") for address, _ in found)
