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
    rows = [line.strip("| ").split(" | ") for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    headings = {"threat", "---"}
    for row in rows:
        assert len(row) == 3, row
        assert all(cell.strip() for cell in row)
        assert row[0] in headings or "`test_" in row[2], row
