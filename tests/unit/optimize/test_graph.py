"""The steps from weights to an INT8 model, end to end on a few images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.engines.openvino import OpenVinoEngine
from core.errors import ModelError
from core.evaluate import agreement
from core.models import Model
from core.optimize import graph
from core.optimize.base import FP32_NAME, ONNX_NAME, make_base
from core.optimize.graph import RECIPES, convert, quantize, save_ir

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Coarse random pictures: enough structure for the ranges of the activations to mean something."""
    coarse = np.random.default_rng(0).integers(0, 256, (12, 7, 7, 3), dtype=np.uint8)
    return coarse.repeat(32, axis=1).repeat(32, axis=2)


@pytest.fixture(scope="module")
def onnx_path(starter: Model) -> Path:
    """The exported starter model; the tests' shared cache may already hold it."""
    make_base(starter.weights, starter.base_folder)
    return starter.base_folder / ONNX_NAME


def test_export_leaves_whole_files_and_a_batch_of_any_size(onnx_path: Path) -> None:
    names = {path.name for path in onnx_path.parent.iterdir()}
    assert names == {ONNX_NAME, FP32_NAME, FP32_NAME.replace(".xml", ".bin")}
    assert str(convert(onnx_path).input(0).partial_shape) == "[?,3,224,224]"


def test_quantized_on_a_few_images_it_runs_in_int8_and_says_nearly_the_same(
    onnx_path: Path, images: np.ndarray, starter: Model, tmp_path: Path
) -> None:
    xml = tmp_path / "made" / "resnet18-int8.xml"
    save_ir(quantize(convert(onnx_path), images, RECIPES["default"]), xml)
    assert {path.name for path in xml.parent.iterdir()} == {"resnet18-int8.xml", "resnet18-int8.bin"}
    engine = OpenVinoEngine("openvino-int8", xml, tmp_path / "cache")
    assert (engine.precision, engine.classes) == ("INT8", len(starter.card.classes))
    size = xml.with_suffix(".bin").stat().st_size
    assert size < 0.35 * 4 * 11_200_000, "a quarter of FP32's 11.2 million parameters of 4 bytes, and a little"
    same = agreement(starter.engine("pytorch-fp32").infer(images), engine.infer(images))
    assert same.mean_drift < 0.1
    assert same.mean_kl > 0, "INT8 that equals FP32 to the last bit is not INT8"


def test_an_export_that_computes_something_else_is_not_kept(
    starter: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "MAX_EXPORT_DIFFERENCE", -1.0)
    with pytest.raises(ModelError, match="differs from PyTorch"):
        make_base(starter.weights, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []
