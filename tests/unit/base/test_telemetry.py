"""Libraries that would report to their makers do not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.base.settings import PROJECT_ROOT
from tests.helpers import SECONDS

pytestmark = pytest.mark.torch

TRY = """
import sys
from core.base.telemetry import forbid_telemetry
forbid_telemetry()
import nncf, openvino
from nncf.telemetry.wrapper import telemetry
from openvino.tools.ovc.telemetry_utils import tm
print(type(telemetry).__name__, tm.__name__, sys.modules["openvino_telemetry"])
"""


def test_neither_openvino_nor_nncf_finds_the_package_that_reports() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRY], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.stdout.split() == ["MagicMock", "openvino.tools.ovc.telemetry_stub", "None"], done.stderr
