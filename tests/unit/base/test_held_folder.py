"""A folder that is held open: what is below it, and nothing else, wherever a path leads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.base.held_folder import HeldFolder


@pytest.fixture
def held(tmp_path: Path) -> HeldFolder:
    (tmp_path / "held" / "in").mkdir(parents=True)
    (tmp_path / "held" / "in" / "a").write_bytes(b"inside")
    (tmp_path / "out").write_bytes(b"outside")
    (tmp_path / "held" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "held" / "way").symlink_to(tmp_path)
    return HeldFolder(tmp_path / "held")


def test_what_is_below_is_read_also_when_the_folder_has_moved(held: HeldFolder, tmp_path: Path) -> None:
    (tmp_path / "held").rename(tmp_path / "elsewhere")
    with held.opened("in/a") as descriptor:
        assert os.read(descriptor, 100) == b"inside"


@pytest.mark.parametrize(
    "path", ["../out", "in/../../out", "..", "in/..", "link", "way/out", "/etc/passwd", "in//a", "in/b", "in/a/b"]
)
def test_no_path_leads_out(held: HeldFolder, path: str) -> None:
    with pytest.raises(OSError), held.opened(path):
        pass


def test_what_is_closed_opens_nothing(held: HeldFolder) -> None:
    held.close()
    with pytest.raises(ValueError, match="closed"), held.opened("in/a"):
        pass
