"""Attack a server of our own in every way that is known to have worked once, and print what held.

    python -m scripts.attack
    python -m scripts.attack --only headers --only places
    python -m scripts.attack --mixed

Every attack gets a fresh server, on this machine and reachable from it alone, and takes some seconds. The attacks are
in ``scripts/dev/attacks``. With ``--mixed`` all of them go at once against one server, for a minute, beside ten honest
clients, whose waiting is measured (``scripts/dev/mixed_attack.py``).
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.settings import PROJECT_ROOT
from scripts.dev._app_server import app_server
from scripts.dev._memory import PeakMemory
from scripts.dev.attacks import ATTACKS
from scripts.dev.attacks.registry import MB, Attack, AttackOutcome, Target
from scripts.dev.mixed_attack import run_mixed

READY_SECONDS = 1.0  # after the start, for the model to be loaded, so that its memory is not the attack's


@dataclass(frozen=True, slots=True)
class Result:
    """What one attack did."""

    attack: Attack
    outcome: AttackOutcome
    seconds: float
    memory: float  # MB above what the server had before

    def row(self) -> str:
        """A line of the table, in Markdown."""
        held = "held" if self.outcome.held else "**BROKEN**"
        cells = (self.attack.name, self.attack.text, held, self.outcome.figures)
        return f"| {' | '.join(cells)} | {self.memory:,.0f} MB | {self.seconds:.0f} s |"


def main(arguments: Sequence[str] | None = None, attacks: Sequence[Attack] = ATTACKS) -> int:
    """Run the command line; return the exit code: 0, or 1 where something did not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.attack", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="WORD", help="attacks whose names hold it; may be repeated")
    parser.add_argument("--list", action="store_true", help="name them, and attack nothing")
    parser.add_argument("--mixed", action="store_true", help="all at once against one server, beside honest clients")
    options = parser.parse_args(arguments)
    chosen = [one for one in attacks if not options.only or any(word in one.name for word in options.only)]
    if not chosen:
        print("No attack is called that. --list names them.", file=sys.stderr)
        return 1
    if options.list:
        print(*(f"{one.name}: {one.text}" for one in chosen), sep="\n")
        return 0
    if options.mixed:
        with _many_files():
            return run_mixed(chosen)
    print("| attack | what it does | | | memory | time |\n| --- | --- | --- | --- | ---: | ---: |", flush=True)
    results = []
    for one in chosen:
        results.append(run(one))
        print(results[-1].row(), flush=True)
    return int(not all(result.outcome.held for result in results))


def run(one: Attack) -> Result:
    """Start a server and attack it."""
    with tempfile.TemporaryDirectory() as folder:
        work, log = Path(folder) / "work", Path(folder) / "log"
        environment = {"AISR_WORK_DIR": str(work), "AISR_DATA_DIR": str(Path(folder) / "data"), **one.settings}
        app = PROJECT_ROOT / "app.py"
        with app_server(app, log, environment=environment, open_files=one.open_files) as server:
            time.sleep(READY_SECONDS)
            target = Target(server.address, server.pid, log, work)
            peak = PeakMemory(server.pid)
            before, started = peak.peak, time.monotonic()
            with peak.watching(), _many_files():
                try:
                    outcome = one.run(target)
                except Exception as error:  # the server may be beyond answering
                    outcome = AttackOutcome(held=False, figures=f"{type(error).__name__}: {error}"[:200])
            return Result(one, outcome, time.monotonic() - started, (peak.peak - before) / MB)


@contextlib.contextmanager
def _many_files() -> Iterator[None]:
    """Let this process open as many files as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


if __name__ == "__main__":
    sys.exit(main())
