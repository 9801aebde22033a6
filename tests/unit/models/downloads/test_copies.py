"""Copies on this machine that save a download."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.models.downloads import torch_hub_file
from tests.file_server import ServeFile
from tests.unit.models.downloads.downloading import (
    BEFORE,
    CONTENT,
    GOOD,
    HALF,
    OTHER,
    assert_whole,
    fetch,
    part_of,
)


def test_a_copy_on_this_machine_saves_the_download(serve: ServeFile, place: Path, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_bytes(CONTENT)
    wrong.write_bytes(OTHER)
    place.parent.mkdir(parents=True)
    part_of(place).write_bytes(OTHER[:HALF])
    server = serve(GOOD)
    fetch(server, place, copies=[tmp_path / "missing", tmp_path, wrong, right])
    assert_whole(place)
    assert server.requested == []
    assert right.read_bytes() == CONTENT, "it stays where it was"
    place.write_bytes(BEFORE)
    assert right.read_bytes() == CONTENT, "and is a file of its own"


def test_copies_with_another_checksum_are_not_used(serve: ServeFile, place: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(CONTENT[:-1])
    server = serve(GOOD)
    fetch(server, place, copies=[wrong])
    assert_whole(place)
    assert len(server.requested) == 1


CACHES = [
    ({}, "HOME/.cache/torch/hub/checkpoints/f"),
    ({"XDG_CACHE_HOME": "/x"}, "/x/torch/hub/checkpoints/f"),
    ({"XDG_CACHE_HOME": "~/x"}, "HOME/x/torch/hub/checkpoints/f"),
    ({"XDG_CACHE_HOME": "/x", "TORCH_HOME": "/t"}, "/t/hub/checkpoints/f"),
]


@pytest.fixture
def set_caches(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    def set_them(variables: dict[str, str]) -> None:
        for name in ("XDG_CACHE_HOME", "TORCH_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_them


@pytest.mark.parametrize(("variables", "expected"), CACHES)
def test_the_cache_of_torch_hub_is_found(
    variables: dict[str, str], expected: str, set_caches: Callable[[dict[str, str]], None]
) -> None:
    set_caches(variables)
    assert str(torch_hub_file("f")) == expected.replace("HOME", os.path.expanduser("~"))  # noqa: PTH111


@pytest.mark.torch
@pytest.mark.parametrize("variables", [variables for variables, _ in CACHES])
def test_torch_itself_looks_there(variables: dict[str, str], set_caches: Callable[[dict[str, str]], None]) -> None:
    import torch

    set_caches(variables)
    assert torch_hub_file("f") == Path(torch.hub.get_dir()) / "checkpoints" / "f"
