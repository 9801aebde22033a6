"""A taught model's files: torchvision's layout, the examples beside it, and nothing that does not fit it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import ModelError
from core.base.settings import Settings
from core.models.card import CARD_NAME, file_checksum, write_card
from core.models.install import copy_model
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.models.weights import load_weights
from core.teach.features import CONTENT_BYTES
from core.teach.head import Examples, fit
from core.teach.taught import (
    EXAMPLES_NAME,
    Stages,
    backbone_for_more,
    head_input,
    joined,
    labels_checksum,
    read_examples,
    teaching_of,
    write_examples,
    write_taught,
)
from core.trust.share import Share
from tests.unit.teach.clouds import clouds

WIDTH = 960


def taught(starter: Model, folder: Path, settings: Settings, stages: Stages = "all") -> tuple[Model, Examples]:
    given = clouds(3, 6, seed=0, width=WIDTH)
    seen = replace(given, features=head_input(given.features, stages), mirrored=head_input(given.mirrored, stages))
    folder.mkdir()
    model = write_taught(
        folder,
        starter,
        starter.checked_weights(),
        fit(seen),
        teaching_of(starter, given, {"a.png": "class 0"}, Share(17, 18)),
        stages=stages,
        title="Parts",
        cache_dir=settings.cache_dir,
    )
    return model, given


@pytest.mark.torch
@pytest.mark.parametrize(("stages", "network", "width"), [("all", "resnet18-stages", 960), ("last", "resnet18", 512)])
def test_the_network_is_the_backbone_with_the_fitted_head(
    starter: Model, tmp_path: Path, settings: Settings, stages: Stages, network: str, width: int
) -> None:
    model, _ = taught(starter, tmp_path / "parts", settings, stages)
    state, classes = load_weights(model.weights, network)
    assert (classes, state["fc.weight"].shape) == (3, (3, width))
    own, _ = load_weights(starter.weights)
    assert all((state[name] == tensor).all() for name, tensor in own.items() if name in state and "fc." not in name)
    assert model.card.network == network
    batch = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    found = model.engine("pytorch-fp32").infer(batch, ("logits", "features"))
    seen = head_input(found["features"], stages)
    expected = seen @ state["fc.weight"].numpy().T + state["fc.bias"].numpy()
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-3, atol=1e-3)
    assert model.missing("openvino-int8") != ""


def test_the_card_says_where_the_model_comes_from(starter: Model, tmp_path: Path, settings: Settings) -> None:
    card = taught(starter, tmp_path / "parts", settings)[0].card
    assert card.classes == ("class 0", "class 1", "class 2")
    assert card.teaching is not None
    assert card.teaching.examples == {"class 0": 6, "class 1": 6, "class 2": 6}
    assert card.teaching.backbone == "starter"
    assert card.teaching.accuracy_low < card.teaching.accuracy < card.teaching.accuracy_high
    assert starter.card.teaching is None


def test_equal_teaching_makes_equal_weights(starter: Model, tmp_path: Path, settings: Settings) -> None:
    one, other = (taught(starter, tmp_path / name, settings)[0] for name in ("one", "other"))
    assert file_checksum(one.weights) == file_checksum(other.weights)


def test_a_model_carries_its_examples(starter: Model, tmp_path: Path, settings: Settings) -> None:
    model, given = taught(starter, tmp_path / "parts", settings)
    contents = np.repeat(np.arange(18, dtype=np.uint8)[:, None], CONTENT_BYTES, 1)
    write_examples(replace(given, contents=contents), tmp_path / EXAMPLES_NAME)
    made = copy_model(model, tmp_path / "kept", title="Parts", settings=settings, beside=[tmp_path / EXAMPLES_NAME])
    found = read_examples(made)
    assert found.classes == given.classes
    assert found.numbers.tolist() == given.numbers.tolist()
    np.testing.assert_allclose(found.features, given.features, atol=0.01)
    np.testing.assert_allclose(found.mirrored, given.mirrored, atol=0.01)
    assert found.contents is not None
    assert found.contents.tolist() == [[row] * CONTENT_BYTES for row in range(18)]
    assert backbone_for_more(made, ModelRegistry(settings)).card.name == "starter"
    with pytest.raises(ModelError, match=EXAMPLES_NAME):
        read_examples(starter)


@pytest.mark.parametrize("harm", ["changed", "cut", "other classes", "other width"])
def test_damaged_examples_are_refused(harm: str, starter: Model, tmp_path: Path, settings: Settings) -> None:
    model, given = taught(starter, tmp_path / "parts", settings)
    if harm == "other classes":
        given = replace(given, numbers=given.numbers + 1)
    if harm == "other width":
        given = clouds(3, 6, seed=0, width=8)
    path = model.folder / EXAMPLES_NAME
    write_examples(given, path)
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-2])
    checksums = {**model.card.checksums, EXAMPLES_NAME: file_checksum(path)}
    write_card(model.card.model_copy(update={"checksums": checksums}), model.folder)
    if harm == "changed":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert (model.folder / CARD_NAME).exists()
    with pytest.raises(ModelError, match=EXAMPLES_NAME):
        read_examples(Model(model.folder, settings.cache_dir))


def test_examples_of_two_teachings_go_by_their_classes_names() -> None:
    def of(*names: str) -> Examples:
        rows = np.arange(len(names), dtype=np.float32)[:, None]
        return Examples(
            tuple(dict.fromkeys(names)), np.array([sorted(set(names)).index(one) for one in names]), rows, rows
        )

    both = joined(of("a", "b"), of("b", "c"))
    assert both.classes == ("a", "b", "c")
    assert [both.classes[number] for number in both.numbers] == ["a", "b", "b", "c"]


def test_an_image_in_both_is_one_example_and_shows_what_the_first_says() -> None:
    def of(numbers: list[int], contents: list[int] | None) -> Examples:
        rows = np.array(numbers, np.float32)[:, None]
        digests = None if contents is None else np.repeat(np.array(contents, np.uint8)[:, None], CONTENT_BYTES, 1)
        return Examples(("a", "b"), np.array(numbers), rows, rows, digests)

    both = joined(of([0, 0, 1], [1, 2, 3]), of([1, 1, 0], [2, 4, 3]))
    assert both.numbers.tolist() == [0, 0, 1, 1]
    assert both.contents is not None
    assert both.contents[:, 0].tolist() == [1, 2, 3, 4]
    for unknown in ([0, 0, 0], None):
        assert len(joined(of([0, 0, 1], unknown), of([1, 1, 0], unknown))) == 6, "what nobody knows is not the same"
    assert joined(both, both).numbers.tolist() == both.numbers.tolist()


def test_the_checksum_of_labels_goes_by_what_they_say() -> None:
    labels = {"1.png": "a", "2.png": "b"}
    assert labels_checksum(labels) == labels_checksum(dict(reversed(labels.items())))
    assert labels_checksum(labels) != labels_checksum({"1.png": "b", "2.png": "a"})
    assert labels_checksum({"1.png": "a"}) != labels_checksum({"1.pn": "ga"})
