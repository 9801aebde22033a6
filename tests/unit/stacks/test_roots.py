"""Which folders of this machine may be opened: those that are named, and nothing on the way out of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.base.errors import AppError, ArchiveEmpty, NotAllowed, PathNotFound
from core.base.settings import Settings
from core.stacks.roots import StackRoots
from core.stacks.store import StackStore
from tests.builders import photo_png, zip_bytes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a folder, an archive, a text, and links; beside it something that is nobody's business."""
    for name in ("photos/summer", "photos/empty", "private", "photos and more"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("photos/summer/a.png", "photos/b.png", "private/secret.png", "photos and more/c.png"):
        (tmp_path / name).write_bytes(photo_png())
    (tmp_path / "photos" / "packed.zip").write_bytes(zip_bytes({"a.png": photo_png(), "b.png": photo_png()}))
    (tmp_path / "photos" / "out").symlink_to(tmp_path / "private")
    (tmp_path / "photos" / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "photos" / "within").symlink_to(tmp_path / "photos" / "summer")
    return tmp_path / "photos"


def local(*roots: Path) -> StackRoots:
    return StackRoots(Settings(stack_roots=", ".join(map(str, roots))), is_local=True)


@pytest.mark.parametrize(
    ("below", "images"), [("", 2), ("summer", 1), ("summer/", 1), ("./summer", 1), ("packed.zip", 2)]
)
def test_a_root_and_what_is_in_it_may_be_opened(root: Path, store: StackStore, below: str, images: int) -> None:
    stack = local(root).open(f"{root}/{below}", store, "somebody")
    assert len(stack) == images
    assert stack.name == Path(root, below).name


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("{}/..", NotAllowed),
        ("{}/../private", NotAllowed),
        ("{}/summer/../../private", NotAllowed),
        ("{}/out", NotAllowed),
        ("{}/out/secret.png", NotAllowed),
        ("{}/dangling", NotAllowed),
        ("{}/within", NotAllowed),
        ("{}/../private/secret.png", NotAllowed),
        ("{} and more", NotAllowed),
        ("/", NotAllowed),
        ("/etc", NotAllowed),
        ("", NotAllowed),
        (".", NotAllowed),
        ("summer", NotAllowed),
        ("{}/\0", NotAllowed),
        ("{}/nothing", PathNotFound),
        ("{}/b.png/x", PathNotFound),
        ("{}/" + 5000 * "x", PathNotFound),
        ("{}/empty", ArchiveEmpty),
    ],
)
def test_nothing_else_is_and_nothing_is_said_of_it(
    root: Path, store: StackStore, path: str, error: type[AppError]
) -> None:
    with pytest.raises(error) as caught:
        local(root).open(path.format(root), store, "somebody")
    assert str(root.parent) not in str(caught.value)
    assert store.usage.stacks == 0


def test_what_is_outside_and_exists_is_refused_like_what_does_not(root: Path) -> None:
    sentences = set()
    for path in (root.parent / "private", root.parent / "nothing", root / "out", root / "dangling"):
        with pytest.raises(NotAllowed) as caught:
            local(root).find(str(path))
        sentences.add(str(caught.value))
    assert len(sentences) == 1


def test_a_root_may_be_a_link_that_whoever_runs_this_has_made(root: Path) -> None:
    (root.parent / "data").symlink_to(root)
    assert local(root.parent / "data").find(f"{root.parent}/data/summer") == root / "summer"


@pytest.mark.parametrize(("roots", "is_local"), [("", True), ("/", False)])
def test_without_the_setting_or_with_others_there_is_none(root: Path, roots: str, is_local: bool) -> None:
    found = StackRoots(Settings(stack_roots=roots), is_local=is_local)
    assert found.names == ()
    with pytest.raises(NotAllowed, match="AISR_STACK_ROOTS"):
        found.find(str(root))


def test_nobody_is_local_unless_it_is_said() -> None:
    assert StackRoots(Settings(stack_roots="/")).names == ()


def test_several_roots_are_tried(root: Path) -> None:
    both = local(root / "summer", root.parent / "private")
    assert both.names == (str(root / "summer"), str(root.parent / "private"))
    assert both.find(f"{root.parent}/private/secret.png").name == "secret.png"
    with pytest.raises(NotAllowed):
        both.find(str(root))
