"""The steps from weights to an INT8 model, end to end on a few images."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import pytest

from core.base.errors import DiskFull, ModelError
from core.engines.openvino import OpenVinoEngine
from core.models.exported import FP32_NAME, ONNX_NAME, make_base, place_base, write_base
from core.models.registry import Model
from core.optimize import graph
from core.optimize.graph import RECIPES, convert, quantize, save_ir
from core.trust.agreement import agreement

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


def test_what_nncf_does_is_told(onnx_path: Path, images: np.ndarray) -> None:
    told: dict[str, list[tuple[int, int]]] = {}
    quantize(
        convert(onnx_path),
        images,
        RECIPES["full-bias"],
        on_progress=lambda doing, done, total: told.setdefault(doing, []).append((done, total)),
    )
    assert told["Statistics collection"] == [(done, len(images)) for done in range(len(images) + 1)]
    assert told["Applying Bias correction"][-1][0] == told["Applying Bias correction"][-1][1] > 10


def no_step(title: str) -> AbstractContextManager[Callable[[str], None]]:
    return nullcontext(lambda detail: None)


def test_an_export_that_computes_something_else_is_not_kept(
    starter: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "MAX_EXPORT_DIFFERENCE", -1.0)
    with pytest.raises(ModelError, match="differs from PyTorch"):
        place_base(tmp_path / "made", lambda draft: write_base(starter.weights, draft, no_step))
    assert list((tmp_path / "made").iterdir()) == []


def test_weights_that_fit_no_resnet18_are_told_by_the_worker_and_leave_nothing(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"weights\.safetensors"):
        make_base(weights, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []


def test_drafts_of_killed_processes_are_removed_and_fresh_ones_are_not(tmp_path: Path) -> None:
    old, fresh = tmp_path / "draft-old", tmp_path / "draft-fresh"
    for folder in (old, fresh):
        folder.mkdir()
    os.utime(old, (0, 0))

    def write(draft: Path) -> None:
        for name in (ONNX_NAME, FP32_NAME, FP32_NAME.replace(".xml", ".bin")):
            (draft / name).touch()

    place_base(tmp_path, write)
    assert not old.exists()
    assert fresh.exists()


@pytest.mark.parametrize("name", ["model.xml", "model.bin"])
def test_a_full_disk_is_noticed_when_the_ir_is_written(name: str, onnx_path: Path, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(DiskFull, match=r"model\.xml cannot be written"):
        save_ir(convert(onnx_path), tmp_path / "model.xml")
