"""Names and kinds of files in hostile archives: none leads outside, misleads who reads it, or takes long."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from core.stacks.sources import names as source_names
from core.stacks.sources.names import MAX_FOLDERS, MAX_NAME_CHARACTERS
from tests.builders import zip_bytes
from tests.hostile import (
    DEVICE_NAMES,
    PHOTO,
    SPECIAL_FILES,
    UNSAFE_NAMES,
    special_file,
)
from tests.unit.conftest import Open, names, skipped

_opened_paths: list[str] | None = None


def _record_opened(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened_paths is not None:
        _opened_paths.append(str(arguments[0]))


sys.addaudithook(_record_opened)


@pytest.fixture
def opened_paths() -> Iterator[list[str]]:
    """Every path that this process opens during the test, by whatever means."""
    global _opened_paths  # noqa: PLW0603 - an audit hook cannot be removed, only told to stop
    _opened_paths = []
    yield _opened_paths
    _opened_paths = None


# Names and kinds of files


def test_no_name_leads_to_a_file_outside(open_zip: Open, tmp_path: Path, opened_paths: list[str]) -> None:
    """Whatever a name says, the archive is all that is opened, and nothing is written anywhere."""
    outside = tmp_path.parent / "escaped.png"
    open_zip(zip_bytes({"good.png": PHOTO}))  # so that what Python itself loads for this is loaded
    opened_paths.clear()
    archive = open_zip(zip_bytes(dict.fromkeys([*UNSAFE_NAMES, *DEVICE_NAMES, "good.png"], PHOTO)))
    assert {archive.read(index) for index in range(len(archive.entries))} == {PHOTO}
    assert set(names(archive)) == {*DEVICE_NAMES, "good.png"}  # to us a device's name is a label like any other
    assert set(skipped(archive).values()) == {"unsafe_name"}
    assert set(opened_paths) == {str(tmp_path / "1.zip")}
    assert {path.name for path in tmp_path.iterdir()} == {"0.zip", "1.zip"}
    assert not outside.exists()


@pytest.mark.parametrize("kind", SPECIAL_FILES)
def test_links_and_devices_are_skipped_and_never_followed(
    open_zip: Open, tmp_path: Path, opened_paths: list[str], kind: str
) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(PHOTO)
    opened_paths.clear()
    files = {"a.png": str(secret).encode(), "b.png": PHOTO, "good.png": PHOTO}
    archive = open_zip(zip_bytes(files, edit=special_file(SPECIAL_FILES[kind])))
    assert (names(archive), archive.read(0)) == (["good.png"], PHOTO)
    assert skipped(archive) == {"a.png": "special_file", "b.png": "special_file"}
    assert str(secret) not in opened_paths


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u202a", "\u202e", "\u2066", "\u2069"])
def test_marks_that_reorder_text_are_skipped_and_not_shown(open_zip: Open, mark: str) -> None:
    archive = open_zip(zip_bytes({f"a{mark}gnp.png": PHOTO, "\u200fשלום.png": PHOTO}))
    assert names(archive) == ["\u200fשלום.png"]  # what right-to-left languages and emoji need stays
    assert skipped(archive) == {"a\ufffdgnp.png": "unsafe_name"}


def test_endless_names_are_skipped_and_never_normalised(open_zip: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accents in the wrong order cost normalisation the square of their number: half a second for one full name."""
    normalised: list[int] = []
    normalize = unicodedata.normalize

    def counted(form: str, text: str) -> str:
        normalised.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr(source_names.unicodedata, "normalize", counted)
    longest = "a" * (MAX_NAME_CHARACTERS - 4) + ".png"
    archive = open_zip(zip_bytes({"a" + "\u0301\u0323" * 16_000 + ".png": PHOTO, longest: PHOTO, "a" + longest: PHOTO}))
    assert names(archive) == [longest]
    assert [(item.code, len(item.name) <= MAX_NAME_CHARACTERS) for item in archive.skipped] == [
        ("unsafe_name", True),
        ("unsafe_name", True),
    ]
    assert max(normalised) <= MAX_NAME_CHARACTERS


def test_a_file_in_folders_without_end_is_skipped(open_zip: Open) -> None:
    deepest = "1/" * MAX_FOLDERS + "a.png"
    archive = open_zip(zip_bytes({deepest: PHOTO, "1/" + deepest: PHOTO, "./" * 200 + "b.png": PHOTO}))
    assert names(archive) == [deepest, "b.png"]
    assert skipped(archive) == {"1/" + deepest: "unsafe_name"}


def test_telling_equal_names_apart_takes_steps_in_proportion(open_zip: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every number that a second ``x.png`` could get is taken: counting anew for each makes the square of them."""
    steps = 0
    with_name = PurePosixPath.with_name

    def counted(path: PurePosixPath, name: str) -> PurePosixPath:
        nonlocal steps
        steps += 1
        return with_name(path, name)

    monkeypatch.setattr(PurePosixPath, "with_name", counted)
    files = 300
    archive = open_zip(zip_bytes([(f"x ({n}).png", PHOTO) for n in range(2, files)] + [("x.png", PHOTO)] * files, 0))
    assert len(set(names(archive))) == len(archive.entries) == 2 * files - 2
    assert steps <= 2 * files
