"""docs/security.md names the test that proves each defence: those tests exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "security.md"


def test_every_test_that_is_named_exists() -> None:
    sources = [(path.name, path.read_text()) for path in TESTS.rglob("test_*.py")]
    named = re.findall(r"`(?:(test_\w+\.py)::)?(test_\w+)`", DOCUMENT.read_text())
    assert len(named) > 30
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not any(f"def {name}(" in text for path, text in sources if file in ("", path))
    ]
    assert not missing


def test_every_threat_has_a_defence_and_a_test() -> None:
    tables = re.findall(r"^\| threat .*\n\| --- .*\n((?:\| .*\n)+)", DOCUMENT.read_text(), re.MULTILINE)
    assert len(tables) >= 5
    for table in tables:
        for row in table.splitlines():
            cells = row.strip("| ").split(" | ")
            assert len(cells) == 3, row
            assert all(cell.strip() for cell in cells)
            scripts = re.findall(r"`tests/js/([\w/.]+\.test\.js)`", cells[2])
            assert "`test_" in cells[2] or scripts, row
            assert all((TESTS / "js" / script).exists() for script in scripts), row
