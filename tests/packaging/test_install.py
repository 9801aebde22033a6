"""``pip install .`` and ``pip install -e .`` in a fresh environment: the command ``aisr`` works from any folder."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.cli import COMMANDS
from tests.builders import photo_png, zip_bytes
from tests.e2e.server import ROOT
from tests.helpers import wait_until

PARTS = ("app.py", "setup.py", "pyproject.toml", "LICENSE", "NOTICE", "requirements.txt", ".streamlit")
HEAVY = ("numpy", "pydantic", "pandas", "streamlit", "openvino", "torch", "core.stacks")
LIMIT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with the product in it, and a folder to work in that is neither it nor the source."""

    python: Path
    home: Path
    editable: bool

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python.with_name(command[0])), *command[1:]],
            cwd=self.home, env=self.environment, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        folders = {f"AISR_{name}_DIR": str(self.home / name.lower()) for name in ("WORK", "CACHE", "DATA")}
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | folders


@pytest.fixture(scope="module", params=[False, True], ids=["installed", "editable"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("install")
    source, environment, home = folder / "source", folder / "environment", folder / "home"
    home.mkdir()
    for name in ("core", "pages", "scripts", "models/starter"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in PARTS:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile)(ROOT / name, source / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=LIMIT_SECONDS)
    python = environment / "bin" / "python"
    # The dependencies are those of the environment that runs the tests: torch is not installed again.
    library = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    (Path(library.strip()) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run(
        [*install, "--no-build-isolation", *(["-e"] if request.param else []), source],
        check=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    return Installed(python, home, request.param)


def test_help_lists_every_command_and_loads_none(installed: Installed) -> None:
    shown = installed.run("aisr", "--help")
    assert shown.returncode == 0
    assert all(f"\n  {name} " in shown.stdout for name in (*COMMANDS, "run"))
    loaded = "import sys; from scripts.cli import main; main(['--help']); print(*sys.modules)"
    modules = installed.run("python", "-c", loaded).stdout.split()
    assert "scripts.cli" in modules
    assert not set(HEAVY) & set(modules)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_how_it_is_called(installed: Installed, name: str) -> None:
    shown = installed.run("aisr", name, "--help")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"usage: aisr {name} ")


def test_an_unknown_command_is_refused_with_the_list(installed: Installed) -> None:
    shown = installed.run("aisr", "recognise")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert "no command 'recognise'" in shown.stderr
    assert "predict" in shown.stderr


def test_it_recognises_images_from_any_folder(installed: Installed) -> None:
    (installed.home / "stack.zip").write_bytes(zip_bytes({f"{seed}.png": photo_png(seed=seed) for seed in range(3)}))
    shown = installed.run("aisr", "predict", "stack.zip", "--batch-size", "2", "--out", "results.csv")
    assert shown.returncode == 0, shown.stderr
    with (installed.home / "results.csv").open(encoding="utf-8", newline="") as file:
        assert [row["filename"] for row in csv.DictReader(file)] == ["0.png", "1.png", "2.png"]
    where = installed.run("python", "-c", "import core; print(core.__file__)").stdout
    assert where.startswith(str(installed.home.with_name("source" if installed.editable else "environment")))


def test_the_app_starts_from_any_folder(installed: Installed) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true"]
    log = installed.home / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [installed.python.with_name("aisr"), "run", *options],
            cwd=installed.home, env=installed.environment, stdout=output, stderr=output,
        )  # fmt: skip

    def answers(path: str) -> bytes | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
                return answer.read()
        except OSError:
            assert server.poll() is None, log.read_text()
            return None

    try:
        wait_until(lambda: answers("/api/health/live") is not None, "the app to start")
        assert b"starter" in (answers("/api/v1/models") or b"")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(LIMIT_SECONDS)
