"""The viewer's benchmark, as far as it goes without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.dev.benchmark_viewer import Keys, main


def test_figures_are_written_with_median_and_percentile() -> None:
    drawn = [float(value) for value in range(1, 102)]
    first, second = Keys(drawn, [value + 10 for value in drawn], missed=2).lines("held key")
    assert "median 51.0 ms, p95 96.0 ms, max 101.0 ms" in first
    assert "101 presses, 2 without an image" in first
    assert "median 61.0 ms" in second


@pytest.mark.parametrize(
    ("chromium", "sentence"), [("", "Chromium is missing"), ("chromium", "nowhere.zip is not a file")]
)
def test_what_is_missing_is_said_and_nothing_is_started(
    chromium: str, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CHROMIUM", chromium)
    monkeypatch.setattr(
        "scripts.dev.benchmark_viewer.running_app", lambda *_, **__: pytest.fail("a server was started")
    )
    assert main([str(Path("nowhere.zip"))]) == 2
    output = capsys.readouterr()
    assert sentence in output.err
    assert not output.out
