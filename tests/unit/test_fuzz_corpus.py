"""The fuzz targets over their corpus: seeds, and whatever a fuzzer has ever found wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

DATA = Path(__file__).parents[1] / "data"
CORPUS = [
    pytest.param(target, path, id=f"{target}-{path.name}")
    for target in TARGETS
    for path in sorted((DATA / "fuzz" / target).iterdir())
]


@pytest.mark.parametrize(("target", "path"), CORPUS)
def test_every_promise_holds(target: str, path: Path) -> None:
    TARGETS[target](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_is_there(target: str) -> None:
    assert len(list((DATA / "fuzz" / target).iterdir())) >= 8
