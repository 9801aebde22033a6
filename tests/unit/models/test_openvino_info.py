"""An IR describes itself: used alone, as OpenVINO's model_api uses it, it says what we say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest

from core.base.errors import ModelError
from core.engines.engine import FEATURES, LOGITS
from core.engines.openvino import shared_core
from core.engines.openvino_network import IMAGE, PIXELS, only_network
from core.images.pixels import to_model_input
from core.images.preprocessing import STANDARD, Preprocessing
from core.models.architectures import RESNET18
from core.models.card import file_checksum, read_card, write_card
from core.models.head import read_head
from core.models.model import Model
from core.models.openvino_info import Facts, describe_graph
from core.models.self_description import describe_model
from core.trust.maps import class_maps
from scripts.dev import describe_model as command

SIZES = [(256, 256), (375, 500), (641, 333), (30, 47)]


def picture(height: int, width: int) -> np.ndarray:
    """Coarse random colours, enlarged: no two places alike, and edges to resize."""
    coarse = np.random.default_rng(height).integers(0, 256, (height // 9 + 1, width // 9 + 1, 3), dtype=np.uint8)
    return coarse.repeat(9, axis=0).repeat(9, axis=1)[:height, :width]


def run(graph: Any, image: np.ndarray) -> dict[str, np.ndarray]:
    compiled = shared_core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({IMAGE: image[None]})
    return {name: found[name] for output in compiled.outputs for name in output.get_names()}


@pytest.fixture(scope="module")
def alone(starter: Model) -> Any:
    """The starter's file, compiled as others would."""
    return shared_core().compile_model(str(starter.int8_path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


@pytest.mark.parametrize("size", SIZES)
def test_whole_images_get_the_confidences_that_we_show(size: tuple[int, int], alone: Any, starter: Model) -> None:
    image = picture(*size)
    scores = alone({IMAGE: image[None]})["raw_scores"][0]
    made = to_model_input(image, starter.preprocessing)[None]
    logits = starter.engine("openvino-int8").infer(made)[LOGITS][0]
    temperature = starter.card.confidence["openvino-int8"].value
    assert np.argmax(scores) == np.argmax(logits)
    theirs, ours = (np.exp(values - values.max()) for values in (scores, logits / temperature))
    assert np.abs(theirs / theirs.sum() - ours / ours.sum()).max() < 0.01


def test_features_and_maps_are_those_of_the_last_layer(alone: Any, starter: Model) -> None:
    image = picture(375, 500)
    found = alone({IMAGE: image[None]})
    engine = starter.engine("openvino-int8")
    ours = engine.infer(to_model_input(image, starter.preprocessing)[None], (FEATURES, "maps.4"))
    assert found["feature_vector"].shape == (1, 512)
    assert np.abs(found["feature_vector"] - ours[FEATURES][:, -512:]).max() < 0.1 * ours[FEATURES].max()
    maps = class_maps([ours["maps.4"][0]], read_head(starter).weight)
    low, high = (pick(maps, axis=(1, 2), keepdims=True) for pick in (np.min, np.max))
    theirs = found["saliency_map"]
    assert (theirs.dtype, theirs.shape) == (np.uint8, (1, 12, 7, 7))
    assert theirs[0].min(axis=(1, 2)).max() == 0
    assert np.abs(theirs[0] - 255 * (maps - low) / (high - low)).mean() < 8


def test_facts_are_where_model_api_reads_them(starter: Model) -> None:
    info = shared_core().read_model(str(starter.int8_path)).get_rt_info(["model_info"]).value
    facts = {name: value.value if hasattr(value, "value") else value for name, value in info.items()}
    assert facts["model_type"] == "Classification"
    assert facts["labels"].split() == [name.replace(" ", "_") for name in starter.card.classes]
    assert (facts["embedded_processing"], facts["reverse_input_channels"]) == ("True", "False")
    assert facts["mean_values"] == "123.675 116.28 103.53"
    assert facts["scale_values"] == "58.395 57.12 57.375"
    assert (facts["orig_height"], facts["orig_width"], facts["topk"]) == ("224", "224", "5")


def toy(preprocessing: Preprocessing) -> ov.Model:
    """A network whose logits are its pixels."""
    from openvino import opset13 as ops

    pixels = ops.parameter([-1, *preprocessing.input_shape], ov.Type.u8)
    flat = ops.reshape(ops.convert(pixels, "f32"), ops.constant(np.array([0, -1], np.int64)), special_zero=True)
    return ov.Model([flat], [pixels], "toy")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "preprocessing",
    [
        STANDARD,
        Preprocessing(resize=64, crop=64, interpolation="bicubic"),
        Preprocessing(resize=51, crop=32, color_order="BGR"),
    ],
)
def test_the_graph_makes_the_pixels_that_we_make(preprocessing: Preprocessing, size: tuple[int, int]) -> None:
    graph = toy(preprocessing)
    describe_graph(graph, preprocessing, (), Facts(temperature=0.5))
    image = picture(*size)
    scores = run(graph, image)["raw_scores"]
    made = (scores * 0.5).reshape(preprocessing.input_shape)
    difference = np.abs(made - to_model_input(image, preprocessing))
    assert difference.mean() < 0.5
    assert difference.max() <= (2 if preprocessing.interpolation == "bilinear" else 12), "an edge moved would be 100"


def test_what_an_engine_runs_has_nothing_around_it(starter: Model) -> None:
    graph = only_network(shared_core().read_model(str(starter.int8_path)))
    assert [(port.any_name, str(port.partial_shape)) for port in graph.inputs] == [(PIXELS, "[?,224,224,3]")]
    assert [LOGITS in port.get_names() for port in graph.outputs] == [True]
    kinds = {node.get_type_name() for node in graph.get_ordered_ops()}
    assert not kinds & {"Interpolate", "ShapeOf", "Slice"}


def test_describing_changes_no_answer_and_is_done_once(starter: Model, tmp_path: Path) -> None:
    folder = tmp_path / "starter"
    shutil.copytree(starter.folder, folder)
    assert command.main([str(folder)]) == 0
    assert {path.name: file_checksum(path) for path in folder.iterdir()} == {
        path.name: file_checksum(path) for path in starter.folder.iterdir()
    }, "what is committed is what the command writes"
    card = read_card(folder)
    renamed = tuple(f"class {number}" for number in range(12))
    write_card(describe_model(card.model_copy(update={"classes": renamed, "confidence": {}}), folder), folder)
    model = Model(folder, tmp_path / "cache")
    assert model.card.checksums["weights.safetensors"] == card.checksums["weights.safetensors"]
    batch = picture(224, 224)[None]
    again, before = (one.engine("openvino-int8").infer(batch)[LOGITS] for one in (model, starter))
    assert np.array_equal(again, before)
    graph = shared_core().read_model(str(model.int8_path))
    assert graph.get_rt_info(["model_info", "labels"]).value.split()[0] == "class_0"


def test_a_damaged_file_is_not_described(starter: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "starter"
    shutil.copytree(starter.folder, folder)
    xml = folder / RESNET18.int8_name
    xml.write_bytes(xml.read_bytes()[:5000])
    assert command.main([str(folder)]) == 2
    assert "damaged" in capsys.readouterr().err
    with pytest.raises(ModelError, match="cannot be read"):
        describe_model(read_card(folder), folder)
    assert len(xml.read_bytes()) == 5000
