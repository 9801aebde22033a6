"""One measurement: time, memory, percentiles; and the machine it is taken on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base import cpu
from core.base.cpu import cpu_quota, usable_cores
from core.base.settings import PROJECT_ROOT
from core.benchmark import environment
from core.benchmark.environment import Environment, read_environment
from core.benchmark.measure import Meter, percentile
from tests.helpers import wait_until

# In a process of its own: a meter counts all threads, also such as other tests have left.
WAITS = """
import time
from core.benchmark.measure import Meter
with Meter() as meter:
    time.sleep(0.3)
print(meter.seconds, meter.cpu_seconds, meter.growth_bytes)
"""


def test_waiting_takes_time_and_no_cpu() -> None:
    done = subprocess.run([sys.executable, "-c", WAITS], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    seconds, cpu_seconds, growth = map(float, done.stdout.split())
    assert seconds >= 0.3
    assert cpu_seconds < seconds / 2
    assert growth < 50_000_000


def test_memory_that_was_used_in_between_is_in_the_peak() -> None:
    with Meter() as meter:
        size = 400_000_000  # far more than what other tests have left may give back meanwhile
        block = np.ones(size, np.uint8)
        wait_until(lambda: meter.peak_bytes > size, "a look at the process")
        del block
    assert meter.growth_bytes > 200_000_000
    assert meter.peak_bytes > meter.growth_bytes


@pytest.mark.parametrize(
    ("count", "share", "known"),
    [(0, 0.9, False), (9, 0.9, False), (10, 0.9, True), (99, 0.99, False), (100, 0.99, True), (2, 0.5, True)],
)
def test_a_percentile_needs_enough_values(count: int, share: float, known: bool) -> None:
    assert (percentile([1.0] * count, share) is not None) is known


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=10, max_size=40))
def test_a_percentile_lies_within_the_values_and_above_lower_ones(values: list[float]) -> None:
    middle, high = percentile(values, 0.5), percentile(values, 0.9)
    assert middle is not None
    assert high is not None
    assert min(values) <= middle <= high <= max(values)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "nonsense\n"}, None),
        ({}, None),
    ],
    ids=["v2", "v2 without limit", "v1", "v1 without limit", "nonsense", "nothing there"],
)
def test_the_quota_of_a_container(tmp_path: Path, files: dict[str, str], expected: float | None) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert cpu_quota(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [(None, 4.0), (1.5, 1.5), (16.0, 4.0)])
def test_usable_cores_are_bound_by_affinity_and_quota(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: float
) -> None:
    monkeypatch.setattr(cpu, "cpu_count", lambda: 4)
    monkeypatch.setattr(cpu, "cpu_quota", lambda: quota)
    assert usable_cores() == expected


def environment_with(monkeypatch: pytest.MonkeyPatch, flags: frozenset[str] | None) -> Environment:
    monkeypatch.setattr(environment, "cpu_flags", lambda: flags)
    return read_environment()


@pytest.mark.parametrize(
    ("flags", "warned"),
    [
        ({"avx2"}, True),
        ({"avx2", "avx512f", "amx_bf16"}, True),
        ({"avx2", "avx_vnni"}, False),
        ({"avx2", "avx512f", "avx512_vnni"}, False),
        ({"avx2", "amx_int8"}, False),
    ],
)
def test_a_cpu_without_vnni_is_warned_about(monkeypatch: pytest.MonkeyPatch, flags: set[str], warned: bool) -> None:
    found = environment_with(monkeypatch, frozenset(flags))
    assert (found.int8_warning is not None) is warned
    assert found.instruction_sets is not None
    assert found.instruction_sets["AVX2"]


def test_an_unknown_cpu_gets_no_warning_and_no_invented_instruction_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    found = environment_with(monkeypatch, None)
    assert found.instruction_sets is None
    assert found.int8_warning is None


def test_the_environment_names_what_is_installed() -> None:
    found = read_environment()
    assert found.cores >= 1
    assert found.memory_gb > 0
    assert found.versions["numpy"] == np.__version__
    assert read_environment(("no-such-package", "numpy")).versions == {"numpy": np.__version__}
