"""Whole optimisation runs on a small stack with the real model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.models import Model
from core.optimize import graph
from core.optimize.calibration import split
from core.optimize.graph import LADDER, RECIPES
from core.optimize.run import OptimizationJob, Plan
from core.settings import Settings
from core.stack import ImageStack
from tests.builders import png_bytes
from tests.conftest import MakeStack

pytestmark = pytest.mark.torch

COUNT = 24
TIMEOUT = 240


@pytest.fixture
def stack(make_stack: MakeStack) -> ImageStack:
    """16-bit grey images of a narrow range, as a microscope delivers them."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(100, 4000, (6, 6, 1)).repeat(20, axis=0).repeat(20, axis=1) for _ in range(COUNT)]
    return make_stack({f"{number}.png": png_bytes(frame, bit_depth=16) for number, frame in enumerate(frames)})


@pytest.fixture
def plan(stack: ImageStack) -> Plan:
    return Plan(stack, split(COUNT, 12))


def finished(job: OptimizationJob) -> OptimizationJob:
    job.wait(TIMEOUT)
    assert job.status != "running"
    return job


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_run_makes_a_model_that_is_used_like_any_other(
    starter: Model, plan: Plan, tmp_path: Path, settings: Settings
) -> None:
    job = finished(OptimizationJob(starter, plan, RECIPES["default"], tmp_path / "made", settings))
    assert (job.status, job.message) == ("done", "")
    assert job.model is not None
    assert job.report is not None
    assert job.before is not None
    assert files(tmp_path) >= {"made"}
    assert files(tmp_path / "made") == {"card.json", "resnet18-int8.xml", "resnet18-int8.bin", "weights.safetensors"}
    assert job.report.agreement.images == COUNT - 12
    assert job.model.card.classes == starter.card.classes
    assert job.model.card.scores == {}, "the source's accuracy was measured with another INT8 model"
    assert job.model.checksum != starter.checksum
    assert job.model.base_folder == starter.base_folder
    inputs = np.zeros((3, 224, 224, 3), np.uint8)
    assert job.model.engine("openvino-int8").infer(inputs).shape == (3, len(starter.card.classes))
    assert job.model.engine("openvino-int8").precision == "INT8"
    titles = [step.title for step in job.steps]
    assert titles[-4:] == [
        "Calibrate and quantize",
        "Save the INT8 model",
        "Judge INT8 against FP32",
        "Write the model card",
    ]
    assert all(step.status == "done" for step in job.steps)


def test_the_same_inputs_give_the_same_model(starter: Model, plan: Plan, tmp_path: Path, settings: Settings) -> None:
    made = [
        finished(OptimizationJob(starter, plan, RECIPES["default"], tmp_path / name, settings)).model
        for name in ("first", "second")
    ]
    first, second = (model.card.checksums for model in made if model)
    assert first == second


@pytest.mark.parametrize("recipe", LADDER[1:], ids=lambda recipe: recipe.name)
def test_every_recipe_of_the_ladder_runs(
    recipe: graph.Recipe, starter: Model, plan: Plan, tmp_path: Path, settings: Settings
) -> None:
    job = finished(OptimizationJob(starter, plan, recipe, tmp_path / "made", settings))
    assert (job.status, job.message) == ("done", "")
    assert job.report is not None
    held_back = 6 if recipe.accuracy_aware else 0  # what the recipe looked at may not judge it
    assert job.report.agreement.images == COUNT - 12 - held_back


STEPS = ["Prepare images", "Calibrate and quantize", "Save the INT8 model", "Judge INT8 against FP32"]


@pytest.mark.parametrize("title", STEPS)
def test_cancel_at_each_step_leaves_nothing(
    title: str, starter: Model, plan: Plan, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = OptimizationJob._step

    def cancel_there(job: OptimizationJob, step: str) -> object:
        entered = started(job, step)
        if step == title:
            job.cancel()
        return entered

    monkeypatch.setattr(OptimizationJob, "_step", cancel_there)
    job = finished(OptimizationJob(starter, plan, RECIPES["default"], tmp_path / "made", settings))
    assert job.status == "cancelled"
    assert "unchanged" in job.message
    assert job.model is None
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("made")]


def test_a_failed_run_leaves_the_old_model_and_no_partial_one(
    starter: Model, plan: Plan, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = starter.engine("openvino-int8").infer(np.zeros((1, 224, 224, 3), np.uint8))

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(graph, "save_ir", full_disk)
    job = finished(OptimizationJob(starter, plan, RECIPES["default"], tmp_path / "made", settings))
    assert job.status == "failed"
    assert "No space left" in job.message
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("made")]
    assert np.array_equal(starter.engine("openvino-int8").infer(np.zeros((1, 224, 224, 3), np.uint8)), before)


def test_two_runs_at_once_do_not_disturb_each_other(
    starter: Model, plan: Plan, tmp_path: Path, settings: Settings
) -> None:
    jobs = [OptimizationJob(starter, plan, RECIPES["default"], tmp_path / name, settings) for name in ("one", "two")]
    assert [finished(job).status for job in jobs] == ["done", "done"]
    assert files(tmp_path / "one") == files(tmp_path / "two")
