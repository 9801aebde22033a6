"""Class activation maps are exact, and point at what they are about."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.base.errors import MapsUnavailable
from core.engines.engine import LOGITS, Stage
from core.images.pixels import to_model_input
from core.models.architectures import RESNET18
from core.models.head import read_head
from core.models.model import Model
from core.trust.maps import MOST_PLACES, class_maps, maps_of, outputs_for_maps, resampled

STAGES = RESNET18.stages
ENGINES = [
    pytest.param("openvino-int8", 0.2, id="openvino-int8"),  # what INT8 rounds in the last layer, of logits -3 to 10
    pytest.param("openvino-fp32", 1e-4, marks=pytest.mark.torch, id="openvino-fp32"),
    pytest.param("pytorch-fp32", 1e-4, marks=pytest.mark.torch, id="pytorch-fp32"),
]


def photo(name: str, side: int = 256) -> Image.Image:
    with (files("skimage") / "data" / name).open("rb") as file:
        return Image.open(file).convert("RGB").resize((side, side))


@pytest.mark.parametrize(("engine", "tolerance"), ENGINES)
def test_mean_and_bias_are_the_logit_of_every_class(engine: str, tolerance: float, starter: Model) -> None:
    head = read_head(starter)
    names = outputs_for_maps(starter.stages, head.weight.shape[1])
    assert names == ("maps.4",)
    batch = np.stack(
        [to_model_input(np.asarray(photo(name)), starter.preprocessing) for name in ("chelsea.png", "coffee.png")]
    )
    found = starter.engine(engine).infer(batch, (LOGITS, *names))
    for place in range(len(batch)):
        maps = maps_of(found, place, names, head.weight)
        assert maps.shape == (12, 7, 7)
        assert np.abs(maps.mean(axis=(1, 2)) + head.bias - found[LOGITS][place]).max() < tolerance
        assert maps.std(axis=(1, 2)).min() > 0.1, "they say where, not only how much"


@pytest.mark.torch
def test_a_head_over_four_stages_has_the_sum_of_four_maps(starter: Model) -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 960)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    names = outputs_for_maps(STAGES, 960)
    assert names == ("maps.1", "maps.2", "maps.3", "maps.4")
    batch = np.stack([to_model_input(np.asarray(photo("chelsea.png")), starter.preprocessing)])
    found = starter.engine("pytorch-fp32").infer(batch, ("features", *names))
    maps = maps_of(found, 0, names, weight)
    assert maps.shape == (3, 56, 56)
    assert np.abs(maps.mean(axis=(1, 2)) + bias - (found["features"][0] @ weight.T + bias)).max() < 1e-3
    # Only the first stage is that fine: without it, four places next to each other are one of the second.
    coarse = class_maps([found[name][0] for name in names[1:]], weight[:, 64:])
    assert coarse.shape == (3, 28, 28)
    first = resampled(np.tensordot(weight[:, :64], found["maps.1"][0], axes=1), 56, 56)
    np.testing.assert_allclose(maps - first, resampled(coarse, 56, 56), atol=1e-4)


@pytest.mark.parametrize("engine", ["openvino-int8", pytest.param("pytorch-fp32", marks=pytest.mark.torch)])
@pytest.mark.parametrize("other", ["coffee.png", "rocket.jpg", "astronaut.png", "hubble_deep_field.jpg"])
def test_of_two_photos_side_by_side_the_map_of_cat_points_at_the_cat(engine: str, other: str, starter: Model) -> None:
    head = read_head(starter)
    row = starter.card.classes.index("cat")
    halves = [np.asarray(photo(name))[:, 64:192] for name in ("chelsea.png", other)]
    for order, side in ((halves, "left"), (halves[::-1], "right")):
        inputs = to_model_input(np.concatenate(order, axis=1), starter.preprocessing)
        found = starter.engine(engine).infer(np.stack([inputs]), ("maps.4",))
        (values,) = maps_of(found, 0, ("maps.4",), head.weight[row : row + 1])
        column = int(values.argmax()) % 7
        assert column < 3 if side == "left" else column > 3, f"{side}: column {column}"


@pytest.mark.parametrize(
    ("stages", "width"), [((), 512), (STAGES, 500), (STAGES, 0), (STAGES, 961), ((Stage("a", 8),), 512)]
)
def test_a_head_over_something_else_has_no_maps(stages: tuple[Stage, ...], width: int) -> None:
    with pytest.raises(MapsUnavailable, match="no stages to make maps of"):
        outputs_for_maps(stages, width)


def test_a_head_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a head over 8 features, got 9"):
        class_maps([np.zeros((8, 7, 7), np.float32)], np.zeros((2, 9), np.float32))


def test_maps_of_large_inputs_stay_small_and_exact() -> None:
    rng = np.random.default_rng(1)
    stages = [rng.normal(size=(4, 150, 150)).astype(np.float32), rng.normal(size=(2, 38, 38)).astype(np.float32)]
    weight = rng.normal(size=(2, 6)).astype(np.float32)
    maps = class_maps(stages, weight)
    assert maps.shape == (2, MOST_PLACES, MOST_PLACES)
    pooled = np.concatenate([stage.mean(axis=(1, 2)) for stage in stages])
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), weight @ pooled, atol=1e-4)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 64), st.integers(1, 64), st.integers(0, 99))
def test_another_grid_keeps_the_mean_and_the_range(rows: int, columns: int, more: int, wider: int, seed: int) -> None:
    maps = np.random.default_rng(seed).normal(size=(2, rows, columns)).astype(np.float32)
    made = resampled(maps, more, wider)
    assert made.shape == (2, more, wider)
    np.testing.assert_allclose(made.mean(axis=(1, 2), dtype=float), maps.mean(axis=(1, 2), dtype=float), atol=1e-5)
    assert made.min() >= maps.min() - 1e-5
    assert made.max() <= maps.max() + 1e-5


def test_the_same_grid_changes_nothing_and_a_multiple_repeats() -> None:
    maps = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    np.testing.assert_allclose(resampled(maps, 3, 4), maps, atol=1e-6)
    np.testing.assert_allclose(resampled(maps, 6, 8), maps.repeat(2, axis=1).repeat(2, axis=2), atol=1e-5)
