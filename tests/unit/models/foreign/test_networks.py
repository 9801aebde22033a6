"""Whose network a name is: torchvision's, timm's where that is installed, or nobody's."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from core.base.errors import ModelError
from core.models.foreign.networks import build_network
from core.models.torchvision_compat import import_torchvision

pytestmark = pytest.mark.torch
OWN = "squeezenet1_1"  # a name of torchvision's, which the stand-in knows, too


def small(classes: int) -> Any:
    from torch import nn

    network = nn.Sequential(nn.Flatten(), nn.Linear(12, classes))
    network.pretrained_cfg = {"classifier": "1"}
    return network


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What we ask of timm, which is no requirement."""
    made = ModuleType("timm")
    made.__spec__ = ModuleSpec("timm", None)
    made.is_model = lambda name: name in {"small_net", OWN}
    made.create_model = lambda name, pretrained, num_classes=1000: small(num_classes)
    monkeypatch.setitem(sys.modules, "timm", made)
    return made


def saved(path: Path, network: Any) -> Path:
    from safetensors.torch import save_file

    save_file(network.state_dict(), path)
    return path


def test_timm_builds_what_torchvision_does_not_know(timm: ModuleType, tmp_path: Path) -> None:
    built = build_network(saved(tmp_path / "w.safetensors", small(7)), "small_net", 2)
    assert (built.library, built.classes, built.network.training) == ("timm", 7, False)


def test_of_one_name_in_both_the_weights_decide(timm: ModuleType, tmp_path: Path) -> None:
    theirs = import_torchvision().models.get_model(OWN, weights=None, num_classes=3)
    assert build_network(saved(tmp_path / "a.safetensors", theirs), OWN, 64).library == "torchvision"
    assert build_network(saved(tmp_path / "b.safetensors", small(3)), OWN, 64).library == "timm"
    del theirs.features
    with pytest.raises(ModelError, match=r"do not fit torchvision's squeezenet1_1 nor timm's squeezenet1_1"):
        build_network(saved(tmp_path / "c.safetensors", theirs), OWN, 64)


def test_without_timm_its_names_are_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.models.foreign.networks.find_spec", lambda name: None)
    weights = saved(tmp_path / "w.safetensors", small(7))
    with pytest.raises(ModelError, match=r"no classifier 'small_net'.*pip install timm"):
        build_network(weights, "small_net", 2)
