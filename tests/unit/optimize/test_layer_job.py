"""Why INT8 errs, as a job: its result, its accidents, and what becomes of the layers it finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.base.settings import Settings
from core.engines.openvino import shared_core
from core.engines.openvino_layers import layers_of
from core.engines.openvino_network import only_network
from core.models.model import Model
from core.optimize.calibration import split
from core.optimize.layer_errors import LayerError
from core.optimize.layer_job import LayerErrorsJob
from core.optimize.quantize import RECIPES
from core.optimize.run import CalibrationPlan, OptimizationJob
from core.stacks.stack import ImageStack
from tests.builders import BROKEN_PNGS, photo_png
from tests.conftest import MakeStack
from tests.fake_worker import SetAccident
from tests.helpers import wait_until
from tests.unit.optimize.conftest import COUNT, TIMEOUT, finished

pytestmark = pytest.mark.torch


def ended(job: LayerErrorsJob) -> LayerErrorsJob:
    job.wait(TIMEOUT)
    assert job.status != "running"
    return job


def test_it_looks_at_these_images_and_leaves_no_file(starter: Model, make_stack: MakeStack, tmp_path: Path) -> None:
    files = {f"{number}.png": photo_png(seed=number) for number in range(3)} | {
        "3.png": BROKEN_PNGS["data stops early"]
    }
    job = ended(LayerErrorsJob(starter, make_stack(files), [3, 2, 0], tmp_path / "scratch"))
    assert (job.status, job.message, job.images) == ("done", "", 2)
    assert len(job.errors) == 21
    assert all(isinstance(error, LayerError) and error.own is not None for error in job.errors)
    assert all(step.status == "done" for step in job.steps)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_no_image_that_can_be_read_is_said(
    fake_worker: object, starter: Model, make_stack: MakeStack, tmp_path: Path
) -> None:
    stack = make_stack({"0.png": BROKEN_PNGS["data stops early"]})
    job = ended(LayerErrorsJob(starter, stack, [0], tmp_path))
    assert job.status == "failed"
    assert "can be read" in job.message


@pytest.mark.parametrize("accident", ["killed", "broken", "full"])
def test_an_accident_is_told_and_leaves_nothing(
    accident: str, fake_worker: SetAccident, starter: Model, stack: ImageStack, tmp_path: Path
) -> None:
    fake_worker(f"Compare layer by layer:{accident}")
    job = ended(LayerErrorsJob(starter, stack, [0], tmp_path / "scratch"))
    assert job.status == "failed"
    assert job.message
    assert job.errors == ()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_cancel_ends_it_at_once(fake_worker: SetAccident, starter: Model, stack: ImageStack, tmp_path: Path) -> None:
    fake_worker("Compare layer by layer:endless")
    job = LayerErrorsJob(starter, stack, range(COUNT), tmp_path / "scratch")
    wait_until(lambda: job.steps[-1].detail == "image 1 of 2", "the comparison")
    job.cancel()
    assert ended(job).status == "cancelled"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_layers_that_are_kept_stay_fp32_and_the_speed_is_told(
    starter: Model, stack: ImageStack, tmp_path: Path, settings: Settings
) -> None:
    kept = ("stage 4, block 2, convolution 2", "stage 2, block 1, shortcut")
    plan = CalibrationPlan(stack, split(COUNT, 12), float_layers=kept)
    job = finished(OptimizationJob(starter, plan, RECIPES["default"], tmp_path / "made", settings))
    assert (job.status, job.message) == ("done", "")
    assert job.model is not None
    graph = only_network(shared_core().read_model(str(job.model.int8_path)))
    floats = {
        layer.name
        for layer in layers_of(graph, starter.stages)
        if layer.operation.input_value(1).get_node().get_type_name() == "Constant"
    }
    assert floats == set(kept), "and no other"
    assert job.model.card.quantization["kept in FP32"] == "; ".join(kept)
    assert job.speed is not None
    assert 0 < job.speed.low <= job.speed.ratio <= job.speed.high
