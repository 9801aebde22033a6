"""The optimisation command end to end: weights of the real shape from a web server, 1000 classes, one pipeline."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from core.base.settings import Settings
from core.models.registry import ModelRegistry
from core.optimize.quantize import LADDER
from core.optimize.run import CalibrationPlan, OptimizationJob
from scripts import optimize
from tests.builders import photo_png, zip_bytes
from tests.fake_worker import SetAccident
from tests.file_server import Answer, FileServer

pytestmark = pytest.mark.torch

COUNT = 20
FAVOURITE = 281  # the class the made-up network always names, so that INT8 and FP32 agree


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A ``.pth`` of ResNet18 with 1000 classes, as torchvision publishes it; the numbers are random."""
    import torch

    from core.models.torchvision_compat import import_torchvision

    torch.manual_seed(0)
    state = import_torchvision().models.resnet18(num_classes=1000).state_dict()
    state["fc.bias"][FAVOURITE] = 50.0
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(state, path)
    return path.read_bytes()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "stack.zip"
    path.write_bytes(zip_bytes({f"{number}.png": photo_png(seed=number) for number in range(COUNT)}))
    return path


def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr("scripts.optimize.get_settings", lambda: settings)
    return optimize.main([str(argument) for argument in arguments])


def test_imagenet_from_the_web_to_an_installed_int8_model(
    weights: bytes,
    stack: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-torch-cache"))
    name = f"resnet18-{hashlib.sha256(weights).hexdigest()[:8]}.pth"
    server = FileServer([Answer(weights, drop_after=1_000_000), Answer(weights)])
    try:
        settings = settings.model_copy(update={"imagenet_url": server.url(name)})
        assert run(settings, monkeypatch, "--model", "imagenet", "--calibrate", stack, "--count", "10") == 0
    finally:
        server.close()
    assert len(server.requested) == 2, "the dropped connection was taken up again"
    model = ModelRegistry(settings).get("imagenet")
    assert len(model.card.classes) == 1000
    assert model.card.classes[FAVOURITE] == "tabby"
    for engine in ("openvino-int8", "openvino-fp32", "pytorch-fp32"):
        logits = model.engine(engine).infer(np.zeros((2, 224, 224, 3), np.uint8))["logits"]
        assert logits.argmax(axis=1).tolist() == [FAVOURITE, FAVOURITE]
    printed = capsys.readouterr().out
    for step in ("Load weights", "Export to ONNX", "Convert to OpenVINO", "Calibrate and quantize"):
        assert step in printed
    assert not list(settings.work_dir.glob("run-*")), "nothing is left of the calibration stack"


def test_offline_says_so_and_changes_nothing(
    stack: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-torch-cache"))
    settings = settings.model_copy(update={"imagenet_url": "http://127.0.0.1:9/resnet18-f37072fd.pth"})
    assert run(settings, monkeypatch, "--model", "imagenet", "--calibrate", stack) == 2
    said = capsys.readouterr().err
    assert "resnet18-f37072fd.pth" in said
    assert str(settings.data_dir / "downloads") in said, "where a copy can be put by hand"
    assert ModelRegistry(settings).names == ("starter",)


def test_a_build_step_that_may_be_offline_says_why_and_succeeds(
    stack: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-torch-cache"))
    settings = settings.model_copy(update={"imagenet_url": "http://127.0.0.1:9/resnet18-f37072fd.pth"})
    assert run(settings, monkeypatch, "--model", "imagenet", "--optional") == 0
    assert "resnet18-f37072fd.pth" in capsys.readouterr().err
    assert ModelRegistry(settings).names == ("starter",)


@pytest.mark.parametrize(("options", "code"), [((), 1), (("--optional",), 0)])
def test_a_model_below_the_gate_is_not_installed(
    options: tuple[str, ...],
    code: int,
    fake_worker: object,
    stack: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("scripts.optimize.CalibrationPlan", partial(CalibrationPlan, asked=1.1))
    assert run(settings, monkeypatch, "--calibrate", stack, "--count", "10", *options) == code
    printed = capsys.readouterr()
    titles = [recipe.title for recipe in LADDER]
    assert [line.partition(": same class")[0] for line in printed.out.splitlines() if ": same class" in line] == titles
    assert "below 110% agreement" in printed.err
    assert "not installed" in printed.err
    assert not settings.installed_dir.exists()


def test_a_failed_run_says_why(
    fake_worker: SetAccident,
    stack: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake_worker("Calibrate and quantize:killed")
    assert run(settings, monkeypatch, "--calibrate", stack, "--count", "10") == 2
    assert "memory" in capsys.readouterr().err
    assert not settings.installed_dir.exists()


def test_interrupted_it_stops_and_cleans_up(
    fake_worker: SetAccident,
    stack: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake_worker("Calibrate and quantize:endless")
    jobs: list[OptimizationJob] = []

    class Interrupted(OptimizationJob):
        """Whoever waits for it first gets a Ctrl+C."""

        def wait(self, timeout: float | None = None) -> None:
            jobs.append(self)
            if len(jobs) == 1:
                raise KeyboardInterrupt
            super().wait(timeout)

    monkeypatch.setattr("scripts.optimize.OptimizationJob", Interrupted)
    assert run(settings, monkeypatch, "--calibrate", stack, "--count", "10") == 130
    assert "Interrupted" in capsys.readouterr().err
    assert jobs[0].status == "cancelled"
    assert not settings.installed_dir.exists()
    assert not list(settings.work_dir.glob("run-*"))


def test_own_weights_need_labels_and_a_name(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(settings, monkeypatch, "--weights", "own.pth") == 2
    assert "--labels and --name" in capsys.readouterr().err


def test_a_stack_too_small_to_calibrate_is_refused(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.zip"
    path.write_bytes(zip_bytes({"1.png": photo_png()}))
    assert run(settings, monkeypatch, "--calibrate", path) == 2
    assert "at least 20 images" in capsys.readouterr().err
    assert not settings.installed_dir.exists()
