"""``python -m scripts.attack`` against servers of its own: what only a whole server shows; failures are named."""

from __future__ import annotations

import re
import time

import pytest
import requests

from scripts.dev import attack, mixed_attack
from scripts.dev.attacks.registry import ATTACKS, Attack, AttackOutcome, Target
from scripts.dev.attacks.uploads import ZIP, small_zip


def test_it_names_what_broke_and_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """Files run out; Streamlit's upload route; its WebSocket; addresses that need no password."""
    assert attack.main([f"--only={name}" for name in ("no more files", "files in memory", "large message")]) == 0
    table = capsys.readouterr().out
    assert table.count("| held |") == 3
    assert "BROKEN" not in table

    def fails(_: Target) -> AttackOutcome:
        raise ConnectionResetError("no server is left")

    broken = [Attack("one", "does it", lambda _: AttackOutcome(False, "42 of 42 stand")), Attack("two", "fails", fails)]
    assert attack.main([], broken) == 1
    table = capsys.readouterr().out
    assert "| one | does it | **BROKEN** | 42 of 42 stand |" in table
    assert "| two | fails | **BROKEN** | ConnectionResetError: no server is left |" in table


def test_all_at_once_beside_honest_clients(capsys: pytest.CaptureFixture[str]) -> None:
    """How fast those are depends on the machine; that all are answered, and nothing is left behind, does not."""
    ran: list[str] = []

    def uploads(target: Target) -> AttackOutcome:
        ran.append("uploads")
        if len(ran) > 1:
            time.sleep(0.1)
            return AttackOutcome(True, "it is run again, and that is enough")
        address = f"{target.address}/api/v1/stacks"
        stack = requests.post(address, data=small_zip(), headers=ZIP, timeout=60).json()["stack_id"]
        requests.delete(f"{address}/{stack}", timeout=60)
        raise ConnectionResetError("and nobody minds")

    def stops(_: Target) -> AttackOutcome:
        raise AssertionError("it needs a server of its own")

    mixed_attack.run_mixed([Attack("one", "uploads", uploads), Attack("two", "stops it", stops, alone=True)], seconds=3)
    table = capsys.readouterr().out
    assert len(ran) > 1, "again and again"
    assert table.startswith("1 attacks for 3 s")
    for row in ("honest failures | 0 | 0 |", "processes left | 0 | 0 |", "connections left | 0 | 0 |"):
        assert f"| {row} held |" in table
    assert re.search(r"\| stacks left after \d+ s \| 0 \| 0 \| held \|", table)
    assert not re.search(r"p95 \| (inf|nan) s", table), "they were answered"


def test_what_needs_a_server_of_its_own_is_not_mixed_in() -> None:
    for one in ATTACKS:
        assert one.alone or not ({"AISR_ACCESS_TOKEN"} & set(one.settings) or one.open_files)


def test_it_lists_them_and_attacks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert attack.main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == len(ATTACKS) == len({one.name for one in ATTACKS}) > 10
    assert attack.main(["--only", "nothing of this name"]) == 1
