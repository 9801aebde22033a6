"""The model registry: what is installed, loaded once, checked against its card, never mixed up with an old cache."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import ModelError, ModelNotFound
from core.base.settings import Settings
from core.models.card import CARD_NAME, WEIGHTS_NAME, file_checksum
from core.models.model import Model
from core.models.registry import ModelRegistry
from tests.helpers import FakeEngine, FakeModel


def installed(folder: Path, *names: str) -> ModelRegistry:
    for name in names:
        FakeModel(folder / name)
    return ModelRegistry(
        Settings(models_dir=folder, data_dir=folder / "data", cache_dir=folder / "cache", model="middle")
    )


def test_the_model_that_ships_with_the_app_is_whole_and_says_what_it_is(starter: Model) -> None:
    card = starter.card
    assert card.name == "starter"
    assert len(set(card.classes)) == len(card.classes) == 12
    assert set(card.checksums) == {path.name for path in starter.folder.iterdir()} - {CARD_NAME}
    assert {name: file_checksum(starter.folder / name) for name in card.checksums} == card.checksums
    for score in card.scores.values():
        assert 0 < score.top1 <= score.top5 <= 1
        assert score.agreement_low <= score.agreement <= score.agreement_high
    assert card.scores["pytorch-fp32"].agreement == 1.0


def test_the_default_model_comes_first_and_folders_without_a_card_are_no_models(tmp_path: Path) -> None:
    registry = installed(tmp_path, "alpha", "middle", "zebra")
    (tmp_path / "cache").mkdir()
    assert registry.names == ("middle", "alpha", "zebra")
    assert registry.get().card.name == "middle"
    assert registry.get("zebra").card.name == "zebra"
    assert registry.get("zebra") is registry.get("zebra")


@pytest.mark.parametrize("name", ["unknown", "../middle", "middle/", "/etc", ".", "cache", "MIDDLE"])
def test_a_name_is_looked_up_and_never_used_as_a_path(tmp_path: Path, name: str) -> None:
    registry = installed(tmp_path / "models", "middle")
    with pytest.raises(ModelNotFound, match="Installed: middle"):
        registry.get(name)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"name": 7}', b"\xff\xfe"])
def test_a_damaged_card_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    registry = installed(tmp_path, "middle")
    (tmp_path / "middle" / CARD_NAME).write_bytes(content)
    with pytest.raises(ModelError, match=r"middle has no valid card\.json; reinstall it"):
        registry.get()


def test_an_engine_is_loaded_once_however_many_ask_and_only_when_asked(tmp_path: Path) -> None:
    model = FakeModel(tmp_path / "greys", FakeEngine("openvino-int8"), FakeEngine("openvino-fp32"))
    assert not model.is_loaded("openvino-int8")
    names = ["openvino-int8", "openvino-fp32"] * 8
    with ThreadPoolExecutor(16) as pool:
        engines = list(pool.map(model.engine, names))
    assert sorted(model.loads) == ["openvino-fp32", "openvino-int8"]
    assert len({id(engine) for engine in engines}) == 2
    assert model.is_loaded("openvino-int8")
    assert not model.is_loaded("pytorch-fp32")


def test_an_engine_that_does_not_fit_its_card_is_refused_and_not_kept(tmp_path: Path) -> None:
    engine = FakeEngine()
    engine.classes = 1000
    model = FakeModel(tmp_path / "greys", engine)
    with pytest.raises(ModelError, match="1000 outputs for 256 classes"):
        model.engine("openvino-int8")
    assert not model.is_loaded("openvino-int8")


def test_one_damaged_card_hides_no_other_model(tmp_path: Path) -> None:
    registry = installed(tmp_path, "alpha", "middle", "zebra")
    card = tmp_path / "alpha" / CARD_NAME
    whole = card.read_bytes()
    card.write_bytes(b"{}")
    for _ in range(2):
        models, damaged = registry.installed()
        assert [model.card.name for model in models] == ["middle", "zebra"]
        ((name, reason),) = [(one.name, one.reason) for one in damaged]
        assert name == "alpha"
        assert "alpha has no valid card.json; reinstall it. (name: Field required)" in reason
    card.write_bytes(whole)
    assert [model.card.name for model in registry.installed()[0]] == ["middle", "alpha", "zebra"], (
        "put right, it is there"
    )
    assert registry.installed()[1] == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"network": "resnet50"}, "network: Value error, 'resnet50' is not one of resnet18"),
        ({"preprocessing": "as you like"}, "preprocessing: "),
        ({"preprocessing": {"std": [0, 1, 1]}}, "preprocessing: "),
        ({"checksums": {}}, "weights.safetensors is missing"),
    ],
)
def test_a_card_that_nothing_can_be_made_of_is_damaged(tmp_path: Path, change: dict[str, object], says: str) -> None:
    registry = installed(tmp_path, "middle")
    path = tmp_path / "middle" / CARD_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError) as caught:
        registry.get()
    assert says in str(caught.value)


def test_a_card_of_an_earlier_version_is_read(tmp_path: Path, starter: Model) -> None:
    FakeModel(tmp_path / "old")
    path = tmp_path / "old" / CARD_NAME
    card = json.loads(path.read_text())
    del card["network"]
    card["preprocessing"] = "shorter side to 256 px (antialiased bilinear), centre crop 224, ImageNet mean and std"
    path.write_text(json.dumps(card))
    model = Model(tmp_path / "old", tmp_path)
    assert model.preprocessing == starter.preprocessing
    assert model.architecture is starter.architecture


def copied(starter: Model, folder: Path) -> Path:
    shutil.copytree(starter.folder, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


def test_a_new_model_never_meets_an_old_cache(starter: Model, tmp_path: Path) -> None:
    """New weights may come with the very same graph, and OpenVINO's cache looks at the file of the graph only."""
    folder, cache = copied(starter, tmp_path / "starter"), tmp_path / "cache"
    batch = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    old = Model(folder, cache).engine("openvino-int8").infer(batch)["logits"]
    weights = folder / "resnet18-int8.bin"
    content = bytearray(weights.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200_000] = bytes(200_000)
    weights.write_bytes(content)
    card = json.loads((folder / CARD_NAME).read_text())
    card["checksums"][weights.name] = file_checksum(weights)
    (folder / CARD_NAME).write_text(json.dumps(card))
    new = Model(folder, cache).engine("openvino-int8").infer(batch)["logits"]
    fresh = Model(folder, tmp_path / "empty cache").engine("openvino-int8").infer(batch)["logits"]
    assert np.abs(fresh - old).max() > 1e-3, "the change matters"
    assert (new == fresh).all()


def test_the_second_start_reads_the_compiled_model(starter: Model, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for _ in range(2):
        Model(starter.folder, cache).engine("openvino-int8")
    assert len(list(cache.rglob("*.blob"))) == 1
    assert {path.name for path in starter.folder.iterdir()} == {CARD_NAME, *starter.card.checksums}


@pytest.mark.torch
def test_the_fp32_model_is_converted_once(starter: Model, model_cache: Path) -> None:
    starter.engine("openvino-fp32")
    path = starter.forms_folder / "resnet18-fp32.xml"
    before = path.stat().st_mtime_ns
    Model(starter.folder, model_cache).engine("openvino-fp32")
    assert path.stat().st_mtime_ns == before
    assert {made.name for made in path.parent.iterdir()} >= {"resnet18.onnx", "resnet18-fp32.bin", "resnet18-fp32.xml"}


@pytest.mark.parametrize("name", ["resnet18-int8.xml", "resnet18-int8.bin"])
@pytest.mark.parametrize("damage", ["changed", "shortened", "removed"])
def test_a_file_that_is_not_the_cards_is_refused_before_it_is_used(
    name: str, damage: str, starter: Model, tmp_path: Path
) -> None:
    folder = copied(starter, tmp_path / "starter")
    content = (folder / name).read_bytes()
    match damage:
        case "changed":
            (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "shortened":
            (folder / name).write_bytes(content[: len(content) // 2])
        case "removed":
            (folder / name).unlink()
    model = Model(folder, tmp_path / "cache")
    with pytest.raises(ModelError, match=rf"{name} of the model starter .*nstall the model again"):
        model.engine("openvino-int8")
    assert not model.is_loaded("openvino-int8")
    assert not (tmp_path / "cache").exists(), "nothing was compiled from it"
    (folder / name).write_bytes(content)
    assert model.engine("openvino-int8").classes == 12, "put right, it is used"


@pytest.mark.torch
@pytest.mark.parametrize("engine", ["pytorch-fp32", "openvino-fp32"])
def test_weights_that_are_not_the_cards_are_refused(engine: str, starter: Model, tmp_path: Path) -> None:
    folder = tmp_path / "starter"
    shutil.copytree(starter.folder, folder)
    content = bytearray((folder / WEIGHTS_NAME).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS_NAME).write_bytes(content)
    with pytest.raises(ModelError, match="not the file its card describes"):
        Model(folder, tmp_path / "cache").engine(engine)
    assert not (tmp_path / "cache").exists()


def test_a_file_is_hashed_once_for_each_version_of_it(
    starter: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []

    def counted(path: Path) -> str:
        hashed.append(path.name)
        return file_checksum(path)

    monkeypatch.setattr("core.models.card.file_checksum", counted)
    folder = copied(starter, tmp_path / "starter")
    for _ in range(3):
        Model(folder, tmp_path / "cache").engine("openvino-int8")
    assert sorted(hashed) == ["resnet18-int8.bin", "resnet18-int8.xml"]
