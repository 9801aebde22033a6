"""What the Dockerfile runs to build the image, in a folder of its own, with packages made here instead of 2 GB."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from core.base.settings import PROJECT_ROOT
from tests.helpers import SECONDS
from tests.packaging.image import copy_context, environment, sandboxed, why_no_sandbox

NO_SERVER = "http://127.0.0.1:9"  # the port "discard", where nobody answers


def make_wheel(folder: Path, name: str, version: str, *files: str) -> str:
    """A package of these files; its SHA-256."""
    info = f"{name}-{version}.dist-info"
    contents = dict.fromkeys([f"{name}/__init__.py", *files], "")
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},\n"
        for path, text in contents.items()
    )
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**contents, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What the first COPY steps put into /app, for a product of one package besides torch and torchvision."""
    (tmp_path / "scripts" / "dev").mkdir(parents=True)
    for name in ("_python_env.sh", "dev/image_install.sh"):
        shutil.copy(PROJECT_ROOT / "scripts" / name, tmp_path / "scripts" / name)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    digest = make_wheel(wheels, "pandas", "3.0.0", "pandas/tests/test_x.py", "pandas/core/y.py")
    make_wheel(wheels, "torch", "2.0.0", "torch/test/a", "torch/include/b.h", "torch/lib/c.so")
    make_wheel(wheels, "torchvision", "0.2.0")
    (tmp_path / "requirements.txt").write_text("pandas==3.0.0\ntorch==2.0.0\ntorchvision==0.2.0\n")
    (tmp_path / "requirements.lock").write_text(f"pandas==3.0.0 --hash=sha256:{digest}\n")
    return tmp_path


def install(project: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the step with packages from the folder of wheels alone."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(project), "PYTHON": sys.executable, "PIP_CONFIG_FILE": os.devnull}
    clean |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project / "wheels")}
    return subprocess.run(
        [project / "scripts" / "dev/image_install.sh"],
        cwd=project,
        env=clean | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def test_installing_makes_an_environment_of_the_locked_packages_without_their_tests(project: Path) -> None:
    done = install(project)
    assert done.returncode == 0, done.stderr
    (packages,) = (project / ".venv" / "lib").glob("python3.*/site-packages")
    assert (packages / "pandas" / "core" / "y.py").exists()
    assert (packages / "torch" / "lib" / "c.so").exists()
    assert (packages / "torchvision").exists()
    for left_out in ("pandas/tests", "torch/test", "torch/include"):
        assert not (packages / left_out).exists()
    assert not (project / ".venv" / ".unfinished").exists()


def test_a_package_that_is_not_the_locked_one_stops_the_build(project: Path) -> None:
    make_wheel(project / "wheels", "pandas", "3.0.0", "pandas/evil.py")
    done = install(project)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not list((project / ".venv").glob("lib/python3.*/site-packages/pandas"))


@pytest.mark.skipif(bool(why_no_sandbox()), reason=why_no_sandbox() or "-")
def test_without_the_network_the_build_goes_on_with_the_starter_model(tmp_path: Path) -> None:
    app, data = tmp_path / "app", tmp_path / "data"
    app.mkdir()
    data.mkdir()
    copy_context(app)
    variables = environment() | {"AISR_IMAGENET_URL": f"{NO_SERVER}/resnet18-f37072fd.pth"}
    command = sandboxed(app, data, ["scripts/dev/image_models.sh"], variables, writable=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert "resnet18-f37072fd.pth from 127.0.0.1 could not be downloaded" in done.stderr
    assert {path.name for path in (app / "models").iterdir()} == {"starter"}
    assert list(data.iterdir()) == []


@pytest.mark.skipif(bool(why_no_sandbox()), reason=why_no_sandbox() or "-")
def test_a_damaged_model_stops_the_build(tmp_path: Path) -> None:
    app, data = tmp_path / "app", tmp_path / "data"
    app.mkdir()
    data.mkdir()
    copy_context(app)
    weights = app / "models" / "starter" / "resnet18-int8.bin"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1])
    variables = environment() | {"AISR_IMAGENET_URL": f"{NO_SERVER}/resnet18-f37072fd.pth"}
    command = sandboxed(app, data, ["scripts/dev/image_models.sh"], variables, writable=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode != 0
    assert "resnet18-int8.bin" in done.stderr
