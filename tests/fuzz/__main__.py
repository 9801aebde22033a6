"""Fuzz the readers of hostile files with atheris, until something breaks: ``python -m tests.fuzz png``.

What follows the target's name goes to libFuzzer: ``python -m tests.fuzz archive -max_total_time=600``. Inputs that
reach new code are kept in ``runs/fuzz/TARGET``, and one that breaks a promise in a file there, whose name is printed:
mend what it shows, and keep it in ``tests/data/fuzz/TARGET``, where every run of the tests tries it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["core", "zipfile"]):
    from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Run libFuzzer; it ends the process."""
    target, *options = sys.argv[1:] or [""]
    if target not in TARGETS:
        sys.exit(f"Say what to fuzz: python -m tests.fuzz {'|'.join(TARGETS)} [options of libFuzzer]")
    found = ROOT / "runs" / "fuzz" / target
    found.mkdir(parents=True, exist_ok=True)
    seeds = [ROOT / "tests" / "data" / "fuzz" / target]
    if target == "png":
        seeds.append(ROOT / "tests" / "data" / "pngsuite")
    arguments = [sys.argv[0], f"-artifact_prefix={found}/", *options, *map(str, [found, *seeds])]
    atheris.Setup(arguments, TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
