"""What tests of optimisation runs share: a stack and a plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.base.settings import Settings
from core.images.preprocessing import Preprocessing
from core.models.foreign.importer import ImportOrder, import_model
from core.models.model import Model
from core.optimize.calibration import split
from core.optimize.run import CalibrationPlan, OptimizationJob
from core.stacks.stack import ImageStack
from tests.builders import png_bytes
from tests.conftest import MakeStack
from tests.foreign_models import SIDE, tiny_onnx

COUNT = 24
TIMEOUT = 240


def finished(job: OptimizationJob) -> OptimizationJob:
    job.wait(TIMEOUT)
    assert job.status != "running"
    return job


@pytest.fixture
def stack(make_stack: MakeStack) -> ImageStack:
    """16-bit grey images of a narrow range, as a microscope delivers them."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(100, 4000, (6, 6, 1)).repeat(20, axis=0).repeat(20, axis=1) for _ in range(COUNT)]
    return make_stack({f"{number}.png": png_bytes(frame, bit_depth=16) for number, frame in enumerate(frames)})


@pytest.fixture
def plan(stack: ImageStack) -> CalibrationPlan:
    return CalibrationPlan(stack, split(COUNT, 12))


@pytest.fixture
def fresh_starter(starter: Model, tmp_path: Path) -> Model:
    """The starter with a cache that holds nothing but what is compiled, so that every step has to be done."""
    fresh = Model(starter.folder, tmp_path / "fresh-cache")
    fresh.cache_dir.mkdir()
    compiled = starter.cache_folder("compiled", ["openvino"])
    compiled.mkdir(exist_ok=True)
    (fresh.cache_dir / compiled.name).symlink_to(compiled)
    return fresh


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Model:
    """A network of two layers, which takes no time: its classes are so alike that INT8 takes one for another."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.onnx").write_bytes(tiny_onnx(likeness=0.999))
    order = ImportOrder(
        folder / "tiny.onnx", "Tiny", labels=b"one\ntwo\nthree", preprocessing=Preprocessing(resize=SIDE, crop=SIDE)
    )
    return import_model(order, folder / "models" / "tiny", Settings(cache_dir=model_cache))
