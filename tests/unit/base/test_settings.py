"""The settings: documented, read from the environment, checked, and never changed afterwards."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.base.cpu import usable_cores
from core.base.settings import PROJECT_ROOT, Settings, get_settings, settings_table

NAMES = sorted(Settings.model_fields)


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_documented_and_stands_in_the_table(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description is not None
    assert description[0].isupper()
    assert description.endswith(".")
    assert settings_table().count(f"| `AISR_{name.upper()}` |") == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_read_from_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AISR_IMAGENET_AT_START")  # off for all tests: nothing reaches out
    default = getattr(Settings(), name)
    other: object = default + 1 if isinstance(default, int | float) else type(default)(f"{default}-another-good-value")
    other = {
        "log_level": "debug",
        "keep_models": "no",
        "show_patients": "yes",
        "imagenet_at_start": "no",
        "trusted_proxies": "192.0.2.7",
        "stack_roots": "/data",
    }.get(name, other)
    monkeypatch.setenv(name.upper(), str(other))
    assert getattr(Settings(), name) == default, "only names with the product's prefix count"
    monkeypatch.setenv(f"AISR_{name.upper()}", str(other))
    assert getattr(Settings(), name) == other
    assert {key for key in NAMES if getattr(Settings(), key) != Settings.model_fields[key].default} == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_stacks", "0"),
        ("max_upload_bytes", "-1"),
        ("workers", "-1"),
        ("thumbnail_side", "5000"),
        ("stack_ttl_seconds", "soon"),
        ("max_compression_ratio", "1"),
        ("access_token", "short"),
        ("log_level", "chatty"),
        ("trusted_proxies", "nginx"),
        ("stack_roots", "photos"),
        ("stack_roots", "/data,/data/../etc"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AISR_{name.upper()}", value)
    with pytest.raises(ValidationError, match=name):
        Settings()


def test_the_secret_is_not_shown_with_the_settings() -> None:
    assert "a secret of some length" not in repr(Settings(access_token="a secret of some length"))  # noqa: S106


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        get_settings().max_stacks = 1  # type: ignore[misc]
    assert get_settings() is get_settings()


@pytest.mark.parametrize(("workers", "expected"), [(0, math.ceil(usable_cores())), (1, 1), (7, 7)])
def test_decode_workers_follow_the_cpus_unless_given(workers: int, expected: int) -> None:
    assert Settings(workers=workers).decode_workers == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux's CPU affinity")
def test_only_cpus_this_process_may_use_are_counted() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
    code += "from core.base.cpu import cpu_count; print(cpu_count())"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_the_table_shows_no_path_of_this_machine() -> None:
    table = settings_table()
    assert str(PROJECT_ROOT) not in table
    assert str(Path.home()) not in table
    assert len(table.splitlines()) == len(NAMES) + 2
