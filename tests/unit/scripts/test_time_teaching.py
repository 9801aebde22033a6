"""The command that times teaching: a line for each thing a person waits for."""

from __future__ import annotations

import re

import pytest

from scripts.dev import time_teaching


def test_every_wait_has_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert time_teaching.main(["--classes", "2", "--each", "6", "--images", "51"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert all(re.fullmatch(r" *\d+\.\d{3} s +\d+\.\d{3} CPU s  \w.*", line) for line in lines)
    assert "suggestions for 51 images" in lines[3]


def test_made_up_examples_are_as_many_as_asked_for_and_like_features() -> None:
    given = time_teaching.made_up(3, 4, seed=0)
    assert given.counts.tolist() == [4, 4, 4]
    assert given.features.shape == (12, 960)
    assert (given.features > 0).all()
    assert not (given.features == given.mirrored).any()
