"""Whole optimisation runs on a small stack with the real model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.base.settings import Settings
from core.models.model import Model
from core.optimize.calibration import split
from core.optimize.quantize import LADDER, RECIPES, Recipe
from core.optimize.run import CalibrationPlan, OptimizationJob
from tests.builders import BROKEN_PNGS, photo_png
from tests.conftest import MakeStack
from tests.unit.optimize.conftest import COUNT, finished

pytestmark = pytest.mark.torch


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_run_makes_a_model_that_is_used_like_any_other_and_one_beside_it_the_same(
    starter: Model, plan: CalibrationPlan, tmp_path: Path, settings: Settings
) -> None:
    job, beside = (
        OptimizationJob(starter, plan, RECIPES["default"], tmp_path / name, settings) for name in ("made", "beside")
    )
    assert [(one.status, one.message) for one in map(finished, (job, beside))] == [("done", "")] * 2
    assert beside.model is not None
    assert job.model is not None
    assert job.report is not None
    assert job.before is not None
    assert files(tmp_path) >= {"made", "beside"}
    assert files(tmp_path / "made") == files(tmp_path / "beside") == {path.name for path in starter.folder.iterdir()}
    assert job.report.agreement.images == COUNT - 12
    assert job.model.card.classes == starter.card.classes
    assert job.model.card.scores == {}, "the source's accuracy was measured with another INT8 model"
    before, after = starter.card.confidence, job.model.card.confidence
    assert after["pytorch-fp32"] == before["pytorch-fp32"], "the weights are the same"
    assert after["openvino-int8"] != before["openvino-int8"], "INT8 is another one"
    assert job.model.checksum != starter.checksum
    assert beside.model.card.checksums == job.model.card.checksums, "the same inputs give the same model"
    assert job.model.forms_folder == starter.forms_folder
    inputs = np.zeros((3, 224, 224, 3), np.uint8)
    assert job.model.engine("openvino-int8").infer(inputs)["logits"].shape == (3, len(starter.card.classes))
    assert job.model.engine("openvino-int8").precision == "INT8"
    details = {step.title: step.detail for step in job.steps}
    assert details["Calibrate and quantize"] == RECIPES["default"].title
    assert details["Save the INT8 model"].startswith("resnet18-int8.bin, ")
    assert "% same class on 12 images" in details["Judge INT8 against FP32"]
    assert all(step.status == "done" for step in job.steps)


@pytest.mark.parametrize("recipe", LADDER[1:], ids=lambda recipe: recipe.name)
def test_every_recipe_of_the_ladder_runs(
    recipe: Recipe, tiny: Model, plan: CalibrationPlan, tmp_path: Path, settings: Settings
) -> None:
    job = finished(OptimizationJob(tiny, plan, recipe, tmp_path / "made", settings))
    assert (job.status, job.message) == ("done", "")
    assert job.model is not None
    assert job.model.engine("openvino-int8").precision == "INT8"
    assert job.report is not None
    held_back = 6 if recipe.accuracy_aware else 0  # what the recipe looked at may not judge it
    assert job.report.agreement.images == COUNT - 12 - held_back


def test_a_second_attempt_asks_fp32_nothing_and_exports_nothing(
    fake_worker: object,
    starter: Model,
    plan: CalibrationPlan,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finished(OptimizationJob(starter, plan, RECIPES["default"], tmp_path / "first", settings))

    def asked(*_: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(starter.engine("openvino-fp32"), "infer", asked)
    job = finished(OptimizationJob(starter, plan, RECIPES["full-bias"], tmp_path / "second", settings))
    assert (job.status, job.message) == ("done", "")
    exported = next(step for step in job.steps if step.title == "Export to ONNX")
    assert "resnet18.onnx" in exported.detail
    assert exported.detail.endswith("made before")


def test_a_calibrated_model_says_on_what_once_and_is_not_called_so_twice(
    fake_worker: object, starter: Model, plan: CalibrationPlan, tmp_path: Path, settings: Settings
) -> None:
    first = finished(OptimizationJob(starter, plan, RECIPES["default"], tmp_path / "first", settings)).model
    assert first is not None
    second = finished(OptimizationJob(first, plan, RECIPES["default"], tmp_path / "second", settings)).model
    assert second is not None
    assert first.card.title == second.card.title == f"Calibrated on test.zip · {starter.card.title}"


def test_accuracy_is_measured_only_where_classes_are_known(
    fake_worker: object, starter: Model, plan: CalibrationPlan, tmp_path: Path, settings: Settings
) -> None:
    labels = np.full(COUNT, -1)
    labels[list(plan.split.evaluation[:3])] = 5
    known = CalibrationPlan(plan.stack, plan.split, labels)
    job = finished(OptimizationJob(starter, known, RECIPES["default"], tmp_path / "made", settings))
    assert job.report is not None
    assert job.report.fp32 is not None
    assert job.report.fp32.images == 3
    assert job.report.agreement.images == COUNT - 12
    job = finished(OptimizationJob(starter, plan, RECIPES["default"], tmp_path / "unknown", settings))
    assert job.report is not None
    assert (job.report.fp32, job.report.int8) == (None, None)


def test_too_many_unreadable_images_are_said(
    fake_worker: object, starter: Model, make_stack: MakeStack, tmp_path: Path, settings: Settings
) -> None:
    broken = BROKEN_PNGS["data stops early"]
    stack = make_stack({f"{n}.png": broken if n % 2 else photo_png(seed=n) for n in range(20)})
    plan = CalibrationPlan(stack, split(20, 10))
    job = finished(OptimizationJob(starter, plan, RECIPES["default"], tmp_path / "made", settings))
    assert job.status == "failed"
    assert "can be read" in job.message
    assert not (tmp_path / "made").exists()
