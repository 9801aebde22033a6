"""``python -m scripts.attack`` against servers of its own: what only a whole server shows; failures are named."""

from __future__ import annotations

import pytest

from scripts.dev import attack
from scripts.dev.attacks.registry import ATTACKS, Attack, Outcome, Target


def test_it_names_what_broke_and_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """Files run out; Streamlit's upload route; its WebSocket; addresses that need no password."""
    assert attack.main([f"--only={name}" for name in ("no more files", "files in memory", "large message")]) == 0
    table = capsys.readouterr().out
    assert table.count("| held |") == 3
    assert "BROKEN" not in table

    def fails(_: Target) -> Outcome:
        raise ConnectionResetError("no server is left")

    broken = [Attack("one", "does it", lambda _: Outcome(False, "42 of 42 stand")), Attack("two", "fails", fails)]
    assert attack.main([], broken) == 1
    table = capsys.readouterr().out
    assert "| one | does it | **BROKEN** | 42 of 42 stand |" in table
    assert "| two | fails | **BROKEN** | ConnectionResetError: no server is left |" in table


def test_it_lists_them_and_attacks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert attack.main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == len(ATTACKS) == len({one.name for one in ATTACKS}) > 10
    assert attack.main(["--only", "nothing of this name"]) == 1
