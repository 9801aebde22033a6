"""The command that measures the server, against a real one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.dev import benchmark_server
from tests.builders import photo_png, zip_bytes


def test_it_prints_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack = tmp_path / "stack.zip"
    stack.write_bytes(zip_bytes({f"{number}.png": photo_png(seed=number) for number in range(3)}))
    assert benchmark_server.main([str(stack), "--repeats", "2"], settle_seconds=0) == 0
    printed = capsys.readouterr().out
    for figure in (
        r"ready after:  \d+\.\d\d s",
        r"memory then:  \d+ MB, PyTorch not loaded",
        r"first prediction of one image:  \d+ ms",
        r"last byte sent to 3 results:  median \d+\.\d\d s \(\d+\.\d\d to \d+\.\d\d\), batches of \d+",
    ):
        assert re.search(figure, printed), figure


def test_a_missing_stack_is_said_and_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark_server, "running_app", lambda _: pytest.fail("a server was started"))
    assert benchmark_server.main([str(tmp_path / "nowhere.zip")]) == 2
    assert "is not a file" in capsys.readouterr().err
