"""The version stands in one place, and everybody says the same."""

from __future__ import annotations

import re
import tomllib

import pytest

from core.base.settings import PROJECT_ROOT
from core.base.version import VERSION


def test_it_is_a_semantic_version_with_an_entry_in_the_changes() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", VERSION)
    assert f"## [{VERSION}]" in (PROJECT_ROOT / "CHANGELOG.md").read_text()


def test_the_package_data_reads_it_and_holds_no_copy() -> None:
    data = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    assert "version" not in data["project"]
    assert "version" in data["project"]["dynamic"]
    assert data["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "core.base.version.VERSION"


@pytest.mark.parametrize("name", ["app.py", "pages/_router.py", "core/api/__init__.py", "compose.yaml", "Dockerfile"])
def test_no_file_says_it_again(name: str) -> None:
    assert VERSION not in (PROJECT_ROOT / name).read_text()
