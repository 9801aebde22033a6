"""What goes into the container image, and how it is set up."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch

import pytest
import yaml

from core.base.settings import PROJECT_ROOT, Settings
from tests.packaging.image import context_files, dockerfile, environment

WANTED = (
    ".streamlit/config.toml",
    "app.py",
    "core/*.py",
    "core/trust/evaluation/report.html",
    "pages/*",
    "scripts/*",
    "models/starter/*",
    "requirements.txt",
    "requirements.lock",
    "LICENSE",
    "NOTICE",
    # Docker itself always sends these two; .dockerignore cannot keep them out of the build.
    "Dockerfile",
    ".dockerignore",
)
# RUN step -> the test that runs it; useradd is the system's own.
STEPS = {
    "scripts/dev/image_install.sh": "test_image_steps.py",
    "scripts/dev/image_models.sh": "test_image_steps.py",
    "useradd": "",
}


def instructions(name: str) -> list[str]:
    return [step["value"] for step in dockerfile().structure if step["instruction"] == name]


def test_nothing_goes_into_the_image_but_what_the_app_runs_on() -> None:
    files = context_files()
    strangers = [name for name in files if not any(fnmatch(name, pattern) for pattern in WANTED)]
    assert not strangers
    assert not [name for name in files if "__pycache__" in name or name.endswith(".pyc")]
    for pattern in WANTED:
        assert any(fnmatch(name, pattern) for name in files), pattern


@pytest.mark.parametrize("name", [".env", "models/cache/x.blob", "runs/a.json", "tests/conftest.py", ".git/config"])
def test_secrets_caches_and_tests_would_stay_out(name: str) -> None:
    assert not any(fnmatch(name, pattern) for pattern in WANTED)


def test_every_run_step_is_a_script_that_a_test_runs() -> None:
    found = [json.loads(re.sub(r"^(--\S+\s+)*", "", step))[0] for step in instructions("RUN")]
    assert sorted(found) == sorted(STEPS)
    for script, test in STEPS.items():
        if test:
            assert script.removeprefix("scripts/") in (PROJECT_ROOT / "tests" / "packaging" / test).read_text()


def test_it_runs_as_an_ordinary_user_on_the_smallest_base_and_is_watched() -> None:
    assert instructions("FROM") == ["python:3.12-slim AS build", "python:3.12-slim"]
    assert instructions("USER") == ["1000:1000"]
    assert "scripts.dev.healthcheck" in instructions("HEALTHCHECK")[0]
    assert instructions("EXPOSE") == ["8501"]


def test_the_image_sets_only_settings_that_exist_and_holds_no_secret() -> None:
    names = {f"AISR_{name.upper()}" for name in Settings.model_fields}
    composed = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text())["services"]["app"]["environment"]
    for name in {*environment(), *composed}:
        assert not name.startswith("AISR_") or name in names
    assert "AISR_ACCESS_TOKEN" not in environment()
    secret = "${AISR_ACCESS_TOKEN:-}"  # noqa: S105 - the person's own, from outside
    assert composed["AISR_ACCESS_TOKEN"] == secret


def test_the_readme_makes_it_a_space_on_the_port_that_the_image_listens_on() -> None:
    """https://huggingface.co/docs/hub/spaces-config-reference"""
    front = yaml.safe_load((PROJECT_ROOT / "README.md").read_text().split("---\n")[1])
    assert front["sdk"] == "docker"
    assert [str(front["app_port"])] == instructions("EXPOSE")
    assert len(front["short_description"]) <= 60


def test_compose_closes_what_it_can_and_limits_the_rest() -> None:
    file = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text())
    service = file["services"]["app"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["volumes"] == ["models:/data"]
    assert environment()["AISR_DATA_DIR"] == "/data"
    assert "privileged" not in service
    # In the image it is off for the frame of a Space.
    assert service["environment"]["STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION"] == "true"
