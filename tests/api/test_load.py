"""The load command against a real port: few clients, right answers, and wrong ones noticed."""

from __future__ import annotations

import zipfile
from collections import Counter
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI

from core.models.registry import ModelRegistry
from scripts.dev.load import SimulatedVisit, agree, main, make_archive
from tests.api.conftest import MakeService
from tests.api.server import running
from tests.helpers import FakeEngine


def test_every_client_gets_its_answers_and_the_figures_are_printed(
    api: FastAPI, registry: ModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.get().engine("openvino-int8")
    with running(api) as address:
        assert main(["--url", f"http://{address}", "--clients", "3", "--images", "2", "--overload", "6"]) == 0
    output = capsys.readouterr().out
    for line in ("one client:", "3 clients:", "throughput against one client:", "clients with wrong answers:  0"):
        assert line in output
    assert "6 requests at once:  answered 6 × 200" in output
    assert "peak memory of the server:  not known from here" in output


def test_a_wrong_answer_is_noticed(
    make_service: MakeService, engine: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = engine.infer
    calls = 0

    def sometimes_wrong(batch: np.ndarray, *outputs: Any) -> Any:
        nonlocal calls
        calls += 1
        return right(batch if calls < 5 else np.zeros_like(batch), *outputs)

    monkeypatch.setattr(engine, "infer", sometimes_wrong)
    service = make_service()
    service.models.get().engine("openvino-int8")
    with running(service.api) as address:
        assert main(["--url", f"http://{address}", "--clients", "2", "--images", "2", "--overload", "0"]) == 1
    assert "clients with wrong answers:  0" not in capsys.readouterr().out


def test_stacks_have_the_same_names_and_no_image_in_common() -> None:
    first, second, again = make_archive(1, 3), make_archive(2, 3), make_archive(1, 3)
    contents = []
    for archive in (first, second, again):
        with zipfile.ZipFile(BytesIO(archive)) as opened:
            contents.append({name: opened.read(name) for name in opened.namelist()})
    assert contents[0] == contents[2]
    assert contents[0].keys() == contents[1].keys()
    assert len({*contents[0].values(), *contents[1].values()}) == 6


@pytest.mark.parametrize(
    ("answers", "own", "expected"),
    [
        ([("a", "cat", 0.5), ("b", "dog", 0.9)], True, True),
        ([("a", "cat", 0.5004), ("b", "dog", 0.9)], True, True),
        ([("a", "cat", 0.51), ("b", "dog", 0.9)], True, False),
        ([("a", "cow", 0.5), ("b", "dog", 0.9)], True, False),
        ([("b", "dog", 0.9), ("a", "cat", 0.5)], True, False),
        ([("a", "cat", 0.5)], True, False),
        ([("a", "cat", 0.5), ("b", "dog", 0.9)], False, False),
    ],
)
def test_what_counts_as_the_same(answers: list[tuple[str, str, float]], own: bool, expected: bool) -> None:
    alone = SimulatedVisit(answers=[("a", "cat", 0.5), ("b", "dog", 0.9)])
    assert agree(alone, SimulatedVisit(answers=answers, own=own, refused=Counter({429: 3}))) is expected


def test_a_stack_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--stack", "nowhere.zip"]) == 1
    assert "nowhere.zip is not a file" in capsys.readouterr().err
