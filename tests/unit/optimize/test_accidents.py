"""Whatever happens in the middle of an optimisation, the models in use stay as they are and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from core.base.background import BackgroundJob
from core.base.settings import PROJECT_ROOT, Settings
from core.models.card import file_checksum
from core.models.exported import EXPORT_STEPS
from core.models.model import Model
from core.optimize.progress import StepProgress
from core.optimize.quantize import RECIPES
from core.optimize.run import STEPS, CalibrationPlan, OptimizationJob
from core.optimize.worker import INT8_STEPS
from core.stacks.store import StackStore
from tests.builders import photo_png, zip_bytes
from tests.fake_worker import SetAccident
from tests.helpers import wait_until
from tests.unit.optimize.conftest import finished

pytestmark = pytest.mark.torch

PROMPT_SECONDS = 60.0  # a cancelled run has ended, on the busiest machine; what it would wait for takes 600


def run(model: Model, plan: CalibrationPlan, tmp_path: Path, settings: Settings) -> OptimizationJob:
    return finished(OptimizationJob(model, plan, RECIPES["default"], tmp_path / "models" / "made", settings))


def nothing_is_left(tmp_path: Path) -> None:
    assert list((tmp_path / "models").iterdir()) == []
    assert [path for path in (tmp_path / "fresh-cache").glob("weights-*/*") if "draft" in path.name] == []


def processes() -> list[Path]:
    """The workers this process has running."""

    def mine(process: Path) -> bool:
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            return parent == str(os.getpid()) and b"worker" in (process / "cmdline").read_bytes()
        except OSError:  # it has just ended
            return False

    return [process for process in Path("/proc").glob("[0-9]*") if mine(process)]


def test_all_steps_are_there_from_the_beginning_and_done_in_the_end(
    fake_worker: SetAccident, fresh_starter: Model, plan: CalibrationPlan, tmp_path: Path, settings: Settings
) -> None:
    job = OptimizationJob(fresh_starter, plan, RECIPES["default"], tmp_path / "models" / "made", settings)
    assert tuple(step.title for step in job.steps) == STEPS
    finished(job)
    assert (job.status, job.message) == ("done", "")
    assert [step.status for step in job.steps] == ["done"] * len(STEPS)
    assert processes() == []


@pytest.mark.parametrize("title", STEPS)
def test_cancelled_in_any_step_it_leaves_nothing(
    title: str,
    fake_worker: SetAccident,
    fresh_starter: Model,
    plan: CalibrationPlan,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[BackgroundJob] = []
    start, begin = BackgroundJob.start, StepProgress.begin

    def begin_and_cancel(steps: StepProgress, step: str, images: int = 0) -> None:
        begin(steps, step, images)
        if step == title:
            started[0].cancel()

    monkeypatch.setattr(BackgroundJob, "start", lambda job: (started.append(job), start(job)))
    monkeypatch.setattr(StepProgress, "begin", begin_and_cancel)
    job = run(fresh_starter, plan, tmp_path, settings)
    assert (job.status, job.model, job.report) == ("cancelled", None, None)
    assert "unchanged" in job.message
    assert [step.title for step in job.steps if step.status == "stopped"] == [title]
    nothing_is_left(tmp_path)
    assert processes() == []


@pytest.mark.parametrize("title", [*EXPORT_STEPS, *INT8_STEPS])
def test_cancelling_does_not_wait_for_a_library(
    title: str,
    fake_worker: SetAccident,
    fresh_starter: Model,
    plan: CalibrationPlan,
    tmp_path: Path,
    settings: Settings,
) -> None:
    fake_worker(f"{title}:endless")
    job = OptimizationJob(fresh_starter, plan, RECIPES["default"], tmp_path / "models" / "made", settings)
    wait_until(lambda: any(step.title == title and step.status == "running" for step in job.steps), title)
    began = time.monotonic()
    job.cancel()
    finished(job)
    assert time.monotonic() - began < PROMPT_SECONDS
    assert job.status == "cancelled"
    nothing_is_left(tmp_path)
    assert processes() == []


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("killed", "memory"),
        ("unforeseen", "log says how"),
        ("full", "disk is full"),
        ("broken", "weights are broken"),
    ],
)
@pytest.mark.parametrize("title", [EXPORT_STEPS[1], *INT8_STEPS])
def test_an_accident_is_told_and_the_model_in_use_stays(
    title: str,
    kind: str,
    says: str,
    fake_worker: SetAccident,
    fresh_starter: Model,
    plan: CalibrationPlan,
    tmp_path: Path,
    settings: Settings,
) -> None:
    before = {path: file_checksum(path) for path in fresh_starter.folder.iterdir()}
    fake_worker(f"{title}:{kind}")
    job = run(fresh_starter, plan, tmp_path, settings)
    assert (job.status, job.model, job.report) == ("failed", None, None)
    assert says in job.message
    nothing_is_left(tmp_path)
    assert {path: file_checksum(path) for path in fresh_starter.folder.iterdir()} == before
    assert fresh_starter.engine("openvino-int8").infer(np.zeros((1, 224, 224, 3), np.uint8))["logits"].shape == (1, 12)


def test_the_attempt_after_an_accident_succeeds(
    fake_worker: SetAccident, starter: Model, plan: CalibrationPlan, tmp_path: Path, settings: Settings
) -> None:
    fake_worker(f"{INT8_STEPS[0]}:killed")
    assert run(starter, plan, tmp_path, settings).status == "failed"
    fake_worker("")
    assert run(starter, plan, tmp_path, settings).status == "done"


def test_a_disk_that_is_full_for_the_images_is_told(
    fake_worker: SetAccident,
    starter: Model,
    plan: CalibrationPlan,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.optimize.run.np.save", full)
    job = run(starter, plan, tmp_path, settings)
    assert job.status == "failed"
    assert "disk is full" in job.message
    assert "unchanged" in job.message
    nothing_is_left(tmp_path)


SERVER = """
import psutil, sys, time
from pathlib import Path
from core.models.registry import ModelRegistry
from core.optimize.calibration import split
from core.optimize.quantize import RECIPES
from core.optimize.progress import StepProgress
from core.optimize.run import OptimizationJob, CalibrationPlan
from core.base.settings import get_settings
from core.stacks.store import StackStore
settings = get_settings()
store = StackStore(settings)
stack = store.create(open(sys.argv[1], "rb"), "stack.zip")
model = ModelRegistry(settings).get()
plan = CalibrationPlan(stack, split(len(stack), 10))
job = OptimizationJob(model, plan, RECIPES["default"], store.folder / "models" / "made", settings)
while not any(step.title == sys.argv[2] and step.status == "running" for step in job.steps):
    time.sleep(0.01)
print(psutil.Process().children()[0].pid, flush=True)
time.sleep(600)
"""


def test_a_server_killed_in_the_middle_takes_the_worker_with_it_and_harms_no_model(
    tmp_path: Path, model_cache: Path, starter: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "stack.zip"
    archive.write_bytes(zip_bytes({f"{seed}.png": photo_png(seed=seed) for seed in range(20)}))
    settings = Settings(work_dir=tmp_path / "work", data_dir=tmp_path / "data", cache_dir=model_cache)
    for name in ("work_dir", "data_dir", "cache_dir"):
        monkeypatch.setenv(f"AISR_{name.upper()}", str(getattr(settings, name)))
    before = {path: file_checksum(path) for path in starter.folder.iterdir()}
    command = [sys.executable, "-c", SERVER, str(archive), INT8_STEPS[0]]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        worker = Path("/proc") / server.stdout.readline().strip()
        assert worker.exists()
        server.kill()
    wait_until(lambda: not worker.exists() or "zombie" in (worker / "status").read_text(), "the worker has ended")
    assert {path: file_checksum(path) for path in starter.folder.iterdir()} == before
    StackStore(settings).close()
    assert list((tmp_path / "work").iterdir()) == [], "the next start removes what was half made"
