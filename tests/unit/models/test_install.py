"""Model folders appear complete or not at all."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.base.errors import InvalidRequest, LabelsInvalid, WeightsInvalid
from core.base.settings import Settings
from core.models.install import copy_model, installed_folder, pack_model, write_model
from core.models.model import Model
from core.models.registry import ModelRegistry


@pytest.mark.parametrize("name", ["", "Parts", "a/b", "..", "-a", "a b", "é", "a" * 41, "a\n"])
def test_names_that_could_lead_elsewhere_are_refused(name: str, settings: Settings) -> None:
    with pytest.raises(InvalidRequest, match="lower-case letters"):
        installed_folder(name, settings)


def test_an_installed_model_has_its_place_in_the_data_folder(settings: Settings) -> None:
    assert installed_folder("parts-2", settings) == settings.data_dir / "models" / "parts-2"


def test_a_copy_is_a_model_of_its_own_name(starter: Model, settings: Settings) -> None:
    made = copy_model(starter, installed_folder("mine", settings), title="Mine", settings=settings)
    assert (made.card.name, made.card.title, made.card.classes) == ("mine", "Mine", starter.card.classes)
    assert made.has_int8
    assert made.checksum == starter.checksum
    registry = ModelRegistry(settings)
    assert registry.names == ("starter", "mine")
    assert registry.get("mine").card == made.card
    assert [path.name for path in settings.installed_dir.iterdir()] == ["mine"], "no draft is left"


def test_a_packed_model_is_installed_by_unpacking_it(starter: Model, settings: Settings, tmp_path: Path) -> None:
    made = copy_model(starter, tmp_path / "made-1f", title="Mine", settings=settings)
    with zipfile.ZipFile(io.BytesIO(pack_model(made))) as packed:
        assert {name.split("/")[0] for name in packed.namelist()} == {"made-1f"}
        packed.extractall(settings.installed_dir)
    model = ModelRegistry(settings).get("made-1f")
    assert model.card == made.card
    assert model.engine("openvino-int8").classes == 12


def test_a_shipped_model_cannot_be_shadowed(starter: Model, settings: Settings) -> None:
    copy_model(starter, settings.installed_dir / "starter", title="Impostor", settings=settings)
    assert ModelRegistry(settings).get("starter").card.title != "Impostor"


@pytest.mark.torch
@pytest.mark.parametrize(
    ("read_labels", "error"),
    [(None, WeightsInvalid), ("too few", LabelsInvalid)],
    ids=["damaged weights", "labels that do not fit"],
)
def test_a_failure_leaves_the_model_that_was_there(
    read_labels: str | None, error: type[Exception], starter: Model, settings: Settings, tmp_path: Path
) -> None:
    folder = installed_folder("mine", settings)
    copy_model(starter, folder, title="Before", settings=settings)
    source = tmp_path / "weights.safetensors"
    source.write_bytes(starter.weights.read_bytes() if read_labels else b"damaged")

    def labels(classes: int) -> tuple[str, ...]:
        raise LabelsInvalid("The labels do not fit.")

    with pytest.raises(error):
        write_model(source, labels, folder, title="After", data="", settings=settings)
    assert Model(folder, settings.cache_dir).card.title == "Before"
    assert [path.name for path in settings.installed_dir.iterdir()] == ["mine"]


@pytest.mark.torch
def test_weights_become_a_model_without_int8(starter: Model, settings: Settings) -> None:
    labels: Callable[[int], tuple[str, ...]] = lambda classes: tuple(f"part {n}" for n in range(classes))  # noqa: E731
    folder = installed_folder("parts", settings)
    model = write_model(starter.weights, labels, folder, title="Parts", data="ours", settings=settings)
    assert model.card.classes == tuple(f"part {n}" for n in range(12))
    assert not model.has_int8
    assert model.engine("pytorch-fp32").classes == 12
