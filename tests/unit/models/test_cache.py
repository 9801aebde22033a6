"""What is kept of a model is named after all that made it, and bounded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.engines.openvino import OpenVinoEngine
from core.models import cache
from core.models.cache import MOST_KEPT, cache_folder, installed_version, maker
from core.models.exported import CODE, PACKAGES
from core.models.model import Model
from tests.helpers import FakeModel


def other(package: str) -> cache.Versions:
    """The installed versions, but another one of ``package``."""
    return lambda name: "999" if name == package else installed_version(name)


def folders(model: Model) -> tuple[Path, Path]:
    return model.forms_folder, model.cache_folder("compiled", ["openvino"])


@pytest.mark.parametrize("package", PACKAGES)
def test_another_version_of_a_library_never_meets_an_old_file(package: str, starter: Model, tmp_path: Path) -> None:
    now, later = (
        folders(Model(starter.folder, tmp_path, versions)) for versions in (installed_version, other(package))
    )
    assert not set(now) & set(later)
    assert folders(Model(starter.folder, tmp_path, other(package))) == later, "and the same one does"


def test_a_library_that_has_no_part_in_it_changes_nothing(starter: Model, tmp_path: Path) -> None:
    now = folders(Model(starter.folder, tmp_path))
    assert folders(Model(starter.folder, tmp_path, other("streamlit"))) == now


def test_changed_code_never_meets_an_old_file(tmp_path: Path) -> None:
    source = tmp_path / "export.py"
    source.write_text("opset = 18")
    before = maker(PACKAGES, [*CODE, source], installed_version)
    assert maker(PACKAGES, [*CODE, source], installed_version) == before
    source.write_text("opset = 19")
    assert maker(PACKAGES, [*CODE, source], installed_version) != before


@pytest.mark.parametrize(
    "change", [{"checksums": {"weights.safetensors": "1" * 64}}, {"preprocessing": {"mean": (0.5, 0.5, 0.5)}}]
)
def test_other_weights_or_another_preprocessing_have_forms_of_their_own(
    change: dict[str, object], tmp_path: Path
) -> None:
    model = FakeModel(tmp_path / "one")
    before = model.forms_folder
    model.card = model.card.model_validate(model.card.model_dump() | change)
    assert model.forms_folder != before


def test_the_folder_unused_for_longest_makes_room(tmp_path: Path) -> None:
    most = MOST_KEPT["weights"]
    for number in range(most):
        folder = cache_folder(tmp_path, "weights", f"source{number}", "maker")
        folder.mkdir()
        os.utime(folder, (number, number))
    (tmp_path / "compiled-source-maker").mkdir()
    (tmp_path / "batch_sizes.json").touch()
    first = cache_folder(tmp_path, "weights", "source0", "maker")
    assert len(list(tmp_path.glob("weights-*"))) == most, "one that is there takes no room"
    cache_folder(tmp_path, "weights", "new", "maker").mkdir()
    left = {path.name for path in tmp_path.iterdir()}
    assert len(list(tmp_path.glob("weights-*"))) == most
    assert first.name in left, "it has just been used"
    assert "weights-source1-maker" not in left
    assert {"compiled-source-maker", "batch_sizes.json"} <= left


def test_an_engine_whose_compiled_form_is_removed_goes_on(starter: Model, tmp_path: Path) -> None:
    engine = OpenVinoEngine("openvino-int8", starter.int8_path, tmp_path / "compiled", starter.stages)
    batch = np.zeros((1, 224, 224, 3), np.uint8)
    before = engine.infer(batch)["logits"]
    shutil.rmtree(tmp_path / "compiled")
    assert np.array_equal(engine.infer(batch)["logits"], before)
    assert engine.infer(batch, ["features"])["features"].shape == (1, 960)


def test_a_cache_that_cannot_be_looked_through_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert cache_folder(tmp_path / "file" / "cache", "compiled", "source", "maker").name == "compiled-source-maker"
