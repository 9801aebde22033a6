"""A model's ONNX and FP32 forms: complete or not at all, and never those of other weights, code or libraries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.base.errors import DiskFull, ModelError
from core.images.preprocessing import STANDARD
from core.models.architectures import RESNET18
from core.models.exported import make_forms, place_forms
from core.models.model import Model
from core.models.onnx_export import check_export
from core.models.openvino_ir import convert, save_ir

pytestmark = pytest.mark.torch

FORMS = {"resnet18.onnx", "resnet18-fp32.xml", "resnet18-fp32.bin"}


@pytest.fixture(scope="module")
def onnx_path(starter: Model) -> Path:
    """The exported starter model; the tests' shared cache may already hold it."""
    return starter.fp32_ir().parent / RESNET18.onnx_name


def test_export_leaves_whole_files_and_a_batch_of_any_size(onnx_path: Path) -> None:
    assert {path.name for path in onnx_path.parent.iterdir()} >= FORMS
    assert str(convert(onnx_path).input(0).partial_shape) == "[?,3,224,224]"


def test_an_export_that_computes_something_else_is_not_kept(starter: Model, onnx_path: Path, tmp_path: Path) -> None:
    other = starter.network()
    other.fc.bias.data += 0.01

    def write(draft: Path) -> None:
        (draft / RESNET18.onnx_name).write_bytes(onnx_path.read_bytes())
        check_export(other, draft / RESNET18.onnx_name, STANDARD.crop)

    with pytest.raises(ModelError, match=r"differs from PyTorch by 0\.01"):
        place_forms(RESNET18, tmp_path / "made", write)
    assert list((tmp_path / "made").iterdir()) == []


def test_weights_that_fit_no_resnet18_are_told_by_the_worker_and_leave_nothing(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"weights\.safetensors"):
        make_forms(RESNET18, weights, STANDARD, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []


def test_drafts_of_killed_processes_are_removed_and_fresh_ones_are_not(tmp_path: Path) -> None:
    old, fresh = tmp_path / "draft-old", tmp_path / "draft-fresh"
    for folder in (old, fresh):
        folder.mkdir()
    os.utime(old, (0, 0))

    def write(draft: Path) -> None:
        for name in FORMS:
            (draft / name).touch()

    place_forms(RESNET18, tmp_path, write)
    assert {path.name for path in tmp_path.iterdir()} == {*FORMS, fresh.name}


@pytest.mark.parametrize("name", ["model.xml", "model.bin"])
def test_a_full_disk_is_noticed_when_the_ir_is_written(name: str, onnx_path: Path, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(DiskFull, match=r"model\.xml cannot be written"):
        save_ir(convert(onnx_path), tmp_path / "model.xml", STANDARD, RESNET18.stages)
