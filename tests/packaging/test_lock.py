"""requirements.lock is what requirements.txt asks for, complete, checked by hash, and free of what no CPU needs."""

from __future__ import annotations

import re
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from core.base.settings import PROJECT_ROOT

FROM_EITHER_INDEX = {"torch", "torchvision"}  # pinned by version only: scripts/dev/lock.sh says why
LOCK = (PROJECT_ROOT / "requirements.lock").read_text()
# name==version ; condition --hash=... --hash=...
ENTRIES = {
    canonicalize_name(requirement.name): (requirement, re.findall(r"--hash=sha256:([0-9a-f]{64})\b", line))
    for line in LOCK.replace("\\\n", "").splitlines()
    if line and not line.startswith("#")
    for requirement in [Requirement(line.partition(" --hash")[0])]
}
PINS = {
    canonicalize_name(requirement.name): requirement
    for line in (PROJECT_ROOT / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for requirement in [Requirement(line)]
}


@pytest.mark.parametrize("name", sorted(PINS.keys() - FROM_EITHER_INDEX))
def test_the_lock_has_the_version_that_is_asked_for(name: str) -> None:
    assert name in ENTRIES, "run ./scripts/dev/lock.sh"
    assert ENTRIES[name][0].specifier == PINS[name].specifier, "run ./scripts/dev/lock.sh"


def test_everything_in_it_has_one_version_and_hashes() -> None:
    for name, (requirement, hashes) in ENTRIES.items():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), name
        assert hashes, name


def test_nothing_is_missing_that_these_packages_need_here() -> None:
    missing = []
    for name in ENTRIES.keys() | FROM_EITHER_INDEX:
        if name in ENTRIES and (marker := ENTRIES[name][0].marker) and not marker.evaluate():
            continue
        asked = [
            needed
            for needed in map(Requirement, distribution(name).requires or [])
            if not needed.marker or needed.marker.evaluate({"extra": ""})
        ]
        found = {wanted for needed in asked if not is_for_gpus(wanted := canonicalize_name(needed.name))}
        missing += [f"{name} needs {wanted}" for wanted in found - ENTRIES.keys() - FROM_EITHER_INDEX]
    assert not missing


def test_no_package_for_gpus_and_no_index_stands_in_it() -> None:
    assert not [name for name in ENTRIES if is_for_gpus(name) or name in FROM_EITHER_INDEX]
    assert "://" not in LOCK
    assert "--index" not in LOCK


def is_for_gpus(name: str) -> bool:
    return name.startswith(("nvidia-", "cuda-")) or name == "triton"
