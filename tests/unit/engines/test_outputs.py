"""Named outputs: what engines give besides logits is the same from all of them, and costs nobody who does not ask."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import ModelError
from core.engines.engine import FEATURES, LOGITS, Engine, Stage
from core.engines.openvino import OpenVinoEngine, shared_core
from core.engines.openvino_outputs import has_stages
from core.models.architectures import RESNET18
from core.models.model import Model

MAPS = ("maps.1", "maps.2", "maps.3", "maps.4")
EVERYTHING = (LOGITS, FEATURES, *MAPS)
SHAPES = {
    LOGITS: (3, 12),
    FEATURES: (3, 960),
    "maps.1": (3, 64, 56, 56),
    "maps.2": (3, 128, 28, 28),
    "maps.3": (3, 256, 14, 14),
    "maps.4": (3, 512, 7, 7),
}
ENGINES = [
    "openvino-int8",
    pytest.param("openvino-fp32", marks=pytest.mark.torch),
    pytest.param("pytorch-fp32", marks=pytest.mark.torch),
]


@pytest.fixture(scope="module")
def batch() -> np.ndarray:
    """Coarse random pictures: enough structure for the activations to mean something."""
    coarse = np.random.default_rng(0).integers(0, 256, (3, 7, 7, 3), dtype=np.uint8)
    return coarse.repeat(32, axis=1).repeat(32, axis=2)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """The smallest cosine of any image's values."""
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
    return float(((one * other).sum(1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1))).min())


@pytest.mark.parametrize("name", ENGINES)
def test_every_output_has_its_shape_and_features_are_the_means_of_the_maps(
    name: str, starter: Model, batch: np.ndarray
) -> None:
    engine = starter.engine(name)
    assert engine.outputs == EVERYTHING
    found = engine.infer(batch, EVERYTHING)
    assert {output: values.shape for output, values in found.items()} == SHAPES
    assert {values.dtype for values in found.values()} == {np.dtype(np.float32)}
    pooled = np.concatenate([found[output].mean(axis=(2, 3)) for output in MAPS], axis=1)
    assert np.abs(found[FEATURES] - pooled).max() < 1e-3
    assert (found["maps.4"] >= 0).all(), "a stage ends in a ReLU"


@pytest.mark.parametrize("name", ENGINES)
def test_logits_are_the_same_with_and_without_other_outputs_and_come_alone_if_nothing_is_asked(
    name: str, starter: Model, batch: np.ndarray
) -> None:
    engine = starter.engine(name)
    alone = engine.infer(batch)
    assert set(alone) == {LOGITS}
    for outputs in ([LOGITS, FEATURES], ["maps.4", LOGITS], EVERYTHING):
        found = engine.infer(batch, outputs)
        assert set(found) == set(outputs)
        assert np.abs(found[LOGITS] - alone[LOGITS]).max() < 1e-4
    assert set(engine.infer(batch, [FEATURES])) == {FEATURES}


@pytest.mark.torch
def test_all_engines_see_the_same_in_an_image(starter: Model, batch: np.ndarray) -> None:
    pytorch, fp32, int8 = (
        starter.engine(name).infer(batch, EVERYTHING) for name in ("pytorch-fp32", "openvino-fp32", "openvino-int8")
    )
    for output in EVERYTHING:
        assert np.abs(pytorch[output] - fp32[output]).max() < 1e-3
        assert similarity(pytorch[output], int8[output]) > 0.95
    assert similarity(pytorch[FEATURES], int8[FEATURES]) > 0.99
    assert np.abs(pytorch[FEATURES] - int8[FEATURES]).max() > 1e-4, "INT8 really was asked"


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("asked", [["maps.5"], ["maps"], ["logits", "Features"], [""]])
def test_an_output_that_is_not_there_is_refused_with_those_that_are(
    asked: list[str], name: str, starter: Model, batch: np.ndarray
) -> None:
    with pytest.raises(ModelError, match=r"has no output .* it has logits, features, maps\.1"):
        starter.engine(name).infer(batch, asked)


def test_nothing_is_compiled_for_outputs_until_they_are_asked_for(
    starter: Model, batch: np.ndarray, tmp_path: Path
) -> None:
    def compiled() -> int:
        return len(list(tmp_path.glob("*.blob")))

    engine = OpenVinoEngine("openvino-int8", starter.int8_path, tmp_path, starter.stages)
    engine.infer(batch)
    assert compiled() == 1
    for _ in range(2):
        engine.infer(batch, [LOGITS, FEATURES])
        engine.infer(batch, [FEATURES, LOGITS])
    assert compiled() == 2
    OpenVinoEngine("openvino-int8", starter.int8_path, tmp_path, starter.stages).infer(batch, [LOGITS, FEATURES])
    assert compiled() == 2, "kept like the others"


def without_names(starter: Model, folder: Path) -> Path:
    """The INT8 IR as versions before 0.2 wrote it."""
    text = starter.int8_path.read_text()
    for output in MAPS:
        assert f' names="{output}"' in text
        text = text.replace(f' names="{output}"', "")
    (folder / "old.xml").write_text(text)
    shutil.copy(starter.int8_path.with_suffix(".bin"), folder / "old.bin")
    return folder / "old.xml"


def test_a_graph_without_names_has_the_same_outputs(starter: Model, batch: np.ndarray, tmp_path: Path) -> None:
    path = without_names(starter, tmp_path)
    assert not has_stages(shared_core().read_model(str(path)), starter.stages)
    old = OpenVinoEngine("openvino-int8", path, None, starter.stages)
    new = starter.engine("openvino-int8")
    assert old.outputs == new.outputs
    for output, values in old.infer(batch, EVERYTHING).items():
        assert np.array_equal(values, new.infer(batch, EVERYTHING)[output])


@pytest.mark.parametrize("stages", [(), (Stage("layer1", 64), Stage("other", 77))])
def test_a_graph_in_which_no_stages_are_found_gives_logits_only(
    stages: tuple[Stage, ...], starter: Model, batch: np.ndarray, tmp_path: Path
) -> None:
    engine = OpenVinoEngine("openvino-int8", without_names(starter, tmp_path), None, stages)
    assert engine.outputs == (LOGITS,)
    with pytest.raises(ModelError, match="it has logits\\."):
        engine.infer(batch, [FEATURES])


@pytest.mark.parametrize("name", ENGINES)
def test_threads_that_ask_for_different_outputs_get_their_own(name: str, starter: Model, batch: np.ndarray) -> None:
    engine: Engine = starter.engine(name)
    wishes = [(LOGITS,), (FEATURES,), ("maps.4", LOGITS), ("maps.1",)]
    batches = [np.roll(batch, number, axis=0) for number in range(3)]
    expected = engine.infer(batch, EVERYTHING)

    def ask(number: int) -> float:
        outputs, shift = wishes[number % 4], number % 3
        found = engine.infer(batches[shift], outputs)
        assert set(found) == set(outputs)
        return max(float(np.abs(found[one] - np.roll(expected[one], shift, axis=0)).max()) for one in outputs)

    with ThreadPoolExecutor(6) as pool:
        assert max(pool.map(ask, range(24))) < 1e-3


def test_the_width_of_the_features_is_known_without_loading_anything() -> None:
    assert RESNET18.features == SHAPES[FEATURES][1]
