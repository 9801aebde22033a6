"""A process that has been told to stop ends, whatever still runs in it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers import SECONDS

# A thread that Python waits for, as it does for one inside a library.
STUCK = """
import sys, threading, time
from pathlib import Path
from core.base.exit_deadline import ExitDeadline

deadline = ExitDeadline(0.5, Path(sys.argv[1]).unlink)
threading.Thread(target=time.sleep, args=(100,)).start()
if sys.argv[2] == "begin":
    deadline.begin()
"""


@pytest.mark.parametrize("told", [True, False])
def test_it_ends_soon_after_it_has_been_told_and_not_before(tmp_path: Path, told: bool) -> None:
    file = tmp_path / "file"
    file.touch()
    process = subprocess.Popen([sys.executable, "-c", STUCK, file, "begin" if told else "wait"])
    try:
        if told:
            assert process.wait(SECONDS) == 143, "as after a signal"
            assert not file.exists(), "it has cleaned up"
        else:
            time.sleep(2)
            assert process.poll() is None
            assert file.exists()
    finally:
        process.kill()
        process.wait()
