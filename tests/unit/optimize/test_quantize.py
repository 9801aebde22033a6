"""The steps from weights to an INT8 model, end to end on a few images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.engines.openvino import OpenVinoEngine
from core.images.preprocessing import STANDARD, Preprocessing
from core.models.architectures import RESNET18
from core.models.model import Model
from core.models.openvino_ir import convert, save_ir
from core.optimize.quantize import RECIPES, Validation, quantize
from core.trust.agreement import agreement
from tests.foreign_models import SIDE, tiny_onnx

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Coarse random pictures: enough structure for the ranges of the activations to mean something."""
    coarse = np.random.default_rng(0).integers(0, 256, (12, 7, 7, 3), dtype=np.uint8)
    return coarse.repeat(32, axis=1).repeat(32, axis=2)


@pytest.fixture(scope="module")
def onnx_path(starter: Model) -> Path:
    """The exported starter model; the tests' shared cache may already hold it."""
    return starter.fp32_ir().parent / RESNET18.onnx_name


def test_quantized_on_a_few_images_it_runs_in_int8_and_says_nearly_the_same(
    onnx_path: Path, images: np.ndarray, starter: Model, tmp_path: Path
) -> None:
    xml = tmp_path / "made" / "resnet18-int8.xml"
    save_ir(quantize(convert(onnx_path), images, RECIPES["default"], STANDARD), xml, STANDARD, RESNET18.stages)
    assert {path.name for path in xml.parent.iterdir()} == {"resnet18-int8.xml", "resnet18-int8.bin"}
    engine = OpenVinoEngine("openvino-int8", xml, tmp_path / "cache")
    assert (engine.precision, engine.classes) == ("INT8", len(starter.card.classes))
    size = xml.with_suffix(".bin").stat().st_size
    assert size < 0.35 * 4 * 11_200_000, "a quarter of FP32's 11.2 million parameters of 4 bytes, and a little"
    same = agreement(starter.engine("pytorch-fp32").infer(images)["logits"], engine.infer(images)["logits"])
    assert same.mean_drift < 0.1
    assert same.mean_kl > 0, "INT8 that equals FP32 to the last bit is not INT8"


def test_what_nncf_does_is_told(onnx_path: Path, images: np.ndarray) -> None:
    images, told = images[:4], dict[str, list[tuple[int, int]]]()
    quantize(
        convert(onnx_path),
        images,
        RECIPES["full-bias"],
        STANDARD,
        on_progress=lambda doing, done, total: told.setdefault(doing, []).append((done, total)),
    )
    assert told["Statistics collection"] == [(done, len(images)) for done in range(len(images) + 1)]
    assert told["Applying Bias correction"][-1][0] == told["Applying Bias correction"][-1][1] > 10


def test_where_int8_strays_an_accuracy_aware_recipe_looks_for_the_layers_that_do_it(tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(tiny_onnx(10, likeness=0.999))
    images = np.random.default_rng(0).integers(0, 256, (18, SIDE, SIDE, 3), dtype=np.uint8)
    told: set[str] = set()
    quantize(
        convert(tmp_path / "tiny.onnx"),
        images[:12],
        RECIPES["accuracy-aware"],
        Preprocessing(resize=SIDE, crop=SIDE),
        validation=Validation(images[12:], np.full(6, 3)),  # what FP32 says of all of them
        on_progress=lambda doing, done, total: told.add(doing),
    )
    assert "Calculating ranking scores" in told
