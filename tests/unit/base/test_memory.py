"""Memory that is free goes back to the system."""

from __future__ import annotations

import subprocess
import sys

from core.base.settings import PROJECT_ROOT

# A hundred megabytes in blocks that the C library keeps when they are freed, because something is left above each.
SCRIPT = """
from core.base.memory import give_memory_back

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

blocks, left = [], []
for _ in range(1000):
    blocks.append(b"x" * 100_000)
    left.append(b"x" * 2_000)
before = resident()
del blocks
freed = resident()
give_memory_back()
print(before - freed, before - resident())
"""


def test_what_is_freed_between_what_is_used_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    by_itself, given_back = map(int, done.stdout.split())
    assert by_itself < 50_000_000
    assert given_back > 70_000_000
