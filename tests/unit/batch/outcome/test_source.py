"""The images of rows: read where they lie, below the roots alone, as they were; of all others a sentence."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.base.errors import ImageError
from core.base.settings import Settings
from core.batch.outcome.rows import OutcomeRow
from core.batch.outcome.source import OutcomeSource
from core.recognition.results import Answer, ClassScore
from core.stacks.roots import StackRoots
from tests.builders import photo_png

Look = Callable[[Sequence[OutcomeRow]], OutcomeSource]
HOUR = 3600
ANSWER = Answer((ClassScore("cat", 0.5),))


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Two files, as old as those that a job has read, below a root."""
    paths = [tmp_path / "open" / "photos" / f"{number}.png" for number in range(2)]
    paths[0].parent.mkdir(parents=True)
    for number, path in enumerate(paths):
        path.write_bytes(photo_png(seed=number))
        os.utime(path, (HOUR, HOUR))
    return paths


@pytest.fixture
def look(tmp_path: Path, settings: Settings) -> Iterator[Look]:
    """The source of rows, of a job about the photos."""
    named = f"{tmp_path / 'missing'}, {tmp_path / 'open'}"
    roots = StackRoots(settings.model_copy(update={"stack_roots": named}), is_local=True)
    with ExitStack() as opened:
        yield lambda rows: opened.enter_context(OutcomeSource(rows, str(tmp_path / "open" / "photos"), roots, settings))


def as_read(path: Path, number: int, frame: int = 0) -> OutcomeRow:
    """The row of a file as it is now, in a part of an hour later."""
    written = (2 * HOUR) * 10**9
    return OutcomeRow(number, str(path), None, frame, path.stat().st_size, written, ANSWER, None)


def a_link(path: Path, secret: Path) -> None:
    path.unlink()
    path.symlink_to(secret)


def a_folder_that_is_a_link(path: Path, secret: Path) -> None:
    path.unlink()
    (path.parent.parent / "moved").mkdir()
    (secret.parent / path.name).write_bytes(secret.read_bytes())
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(secret.parent)


def a_pipe(path: Path, secret: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def other_bytes_of_the_same_size(path: Path, secret: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))
    os.utime(path, (HOUR, path.stat().st_mtime + HOUR))


def other_bytes(path: Path, secret: Path) -> None:
    path.write_bytes(b"short")
    os.utime(path, (HOUR, HOUR))


@pytest.mark.parametrize(
    ("happens", "sentence"),
    [
        (lambda path, secret: path.unlink(), "not there any more"),
        (other_bytes, "has changed since it was recognised"),
        (other_bytes_of_the_same_size, "has changed since it was recognised"),
        (a_link, "behind a link"),
        (a_folder_that_is_a_link, "not there any more"),
        (a_pipe, "has changed"),
    ],
    ids=["gone", "another size", "another time", "a link", "a folder is a link", "a pipe"],
)
def test_what_has_become_of_a_file_is_one_sentence_and_its_answers_stay(
    tmp_path: Path, photos: list[Path], look: Look, happens: Callable[[Path, Path], object], sentence: str
) -> None:
    secret = tmp_path / "secret" / "a.png"
    secret.parent.mkdir()
    secret.write_bytes(photos[0].read_bytes())  # so large, and of that time: only where it lies tells it
    os.utime(secret, (HOUR, HOUR))
    rows = [as_read(photos[0], 0), as_read(photos[1], 1)]
    happens(photos[0], secret)
    source = look(rows)
    for read in (source.read, lambda index: list(source.file(index).pieces())):
        with pytest.raises(ImageError, match=sentence):
            read(0)
    if not photos[1].parent.is_symlink():
        assert source.read(1) == photos[1].read_bytes()


@pytest.mark.parametrize(
    ("path", "fields", "sentence"),
    [
        ("{}/secret.png", {}, "not in a folder that may be opened"),
        ("{}/open/../secret.png", {}, "not in a folder that may be opened"),
        ("secret.png", {}, "not in a folder that may be opened"),
        ("../secret.png", {}, "not in a folder that may be opened"),
        ("", {}, "can be read"),
        ("/etc/passwd", {}, "can be read"),
        ("{}/open/photos/0.png\0.png", {}, "may not be read"),
        ("s3://bucket/a.png", {}, "a store that the app does not read"),
        ("file:///{}/secret.png", {}, "a store that the app does not read"),
        ("{}/open/photos/0.png", {"frame": 1}, "fewer images"),
        ("{}/open/photos/0.png", {"member": "a.png"}, "in an archive"),
        ("{}/open/photos/0.png", {"error": "It ended its worker."}, "ended its worker"),
    ],
)
def test_a_row_reads_nothing_but_unchanged_images_below_the_roots(
    tmp_path: Path, photos: list[Path], look: Look, path: str, fields: dict[str, Any], sentence: str
) -> None:
    (tmp_path / "secret.png").write_bytes(photos[0].read_bytes())
    os.utime(tmp_path / "secret.png", (HOUR, HOUR))
    source = look([replace(as_read(photos[0], 7), path=path.format(tmp_path), **fields)])
    with pytest.raises(ImageError, match=sentence):
        source.read(0)
    name = source.entries[0].name
    assert not name.startswith("/") and not {"\0", "\n"} & set(name)


def test_frames_of_a_file_are_images_of_their_own(photos: list[Path], look: Look) -> None:
    path, buffer = photos[0].with_name("film.gif"), io.BytesIO()
    frames = [Image.fromarray(np.full((20, 20), 40 * number, np.uint8)) for number in range(3)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    path.write_bytes(buffer.getvalue())
    os.utime(path, (HOUR, HOUR))
    source = look([as_read(path, 0, frame=2), as_read(path, 1, frame=0), as_read(path, 2, frame=3)])
    assert [(entry.frame, entry.name) for entry in source.entries][:2] == [
        (2, "film.gif · frame 3"),
        (0, "film.gif · frame 1"),
    ]
    assert source.read(0) == source.read(1) == buffer.getvalue()
    with pytest.raises(ImageError, match="fewer images"):
        source.read(2)


def test_names_leave_the_jobs_folder_away_and_are_told_apart(tmp_path: Path, photos: list[Path], look: Look) -> None:
    rows = [as_read(photos[0], 0), as_read(photos[0], 1), replace(as_read(photos[0], 2), path="/x\u202egnp.exe")]
    source = look(rows)
    assert [entry.name for entry in source.entries] == ["0.png", "0 (2).png", "x\N{REPLACEMENT CHARACTER}gnp.exe"]
    assert source.in_name_order is False


def test_where_folders_may_not_be_opened_nothing_is_read(
    tmp_path: Path, photos: list[Path], settings: Settings
) -> None:
    roots = StackRoots(settings.model_copy(update={"stack_roots": str(tmp_path / "open")}), is_local=False)
    with OutcomeSource([as_read(photos[0], 0)], "", roots, settings) as source, pytest.raises(ImageError):
        source.read(0)
