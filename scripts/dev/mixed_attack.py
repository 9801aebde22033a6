"""All attacks at once against one server, beside honest clients: what those notice, and what is left in the end."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from core.base.settings import PROJECT_ROOT
from scripts.dev._app_server import app_server
from scripts.dev._memory import PeakMemory, family, memory
from scripts.dev.attacks.registry import MB, Attack, Target

SECONDS = 60.0
CLIENTS = 10
IDLE_SECONDS = 5.0  # for the model to be loaded
CLEAN_SECONDS = 240.0  # browsers have two minutes to come back, stacks one, and the sweeper half a minute
STACK_SECONDS = 60
ALONE_SECONDS = 15.0  # of the same clients before the attack, to compare with
MORE_FILES = 20  # an engine or a library may keep so many
NICENESS = 10  # attackers of the open internet take no time of the server's cores

P95_SECONDS = 1.5
REFUSED_SECONDS = 5.0
MEMORY_MB = 1500.0


def run_mixed(attacks: Sequence[Attack], seconds: float = SECONDS, clients: int = CLIENTS) -> int:
    """Attack for so many ``seconds`` beside so many honest ``clients``, and print the figures.

    Returns the exit code: 1 where a figure misses its target.
    """
    together = [one for one in attacks if not one.alone]
    settings: dict[str, str] = {}
    for one in together:
        settings |= one.settings
    with tempfile.TemporaryDirectory() as folder:
        work, log = Path(folder) / "work", Path(folder) / "log"
        places = {"AISR_WORK_DIR": str(work), "AISR_DATA_DIR": str(Path(folder) / "data")}
        environment = {**settings, **places, "AISR_STACK_TTL_SECONDS": str(STACK_SECONDS)}
        with app_server(PROJECT_ROOT / "app.py", log, environment=environment) as server:
            target = Target(server.address, server.pid, log, work)
            time.sleep(IDLE_SECONDS)
            return _measure(target, together, seconds, clients)


def _measure(target: Target, attacks: Sequence[Attack], seconds: float, clients: int) -> int:
    idle, files = memory(family(target.pid)), _open_files(target)
    peak = PeakMemory(target.pid)
    alone = _wait_for(_honest(target, min(ALONE_SECONDS, seconds), clients))
    honest = _honest(target, seconds, clients)
    end = time.monotonic() + seconds
    ran: Counter[str] = Counter()
    threads = [threading.Thread(target=_again, args=(one, target, end, ran), daemon=True) for one in attacks]
    with peak.watching():
        for thread in threads:
            thread.start()
        met = _wait_for(honest)
    print(f"{len(attacks)} attacks for {seconds:.0f} s, {ran.total()} runs of them ended; {_machine()}")
    p95 = _p95(met, "predictions")
    refused = max((seconds for one in met for seconds in one["refused"]), default=float("inf"))
    grown = (peak.peak - idle) / MB
    failures = [text for one in met for text in one["failures"]]
    rows = [
        ("honest predictions, p95, without attack", f"{_p95(alone, 'predictions'):.2f} s", "", True),
        ("honest predictions, p95", f"{p95:.2f} s", f"{P95_SECONDS} s", p95 <= P95_SECONDS),
        ("honest thumbnails, p95", f"{_p95(met, 'thumbnails'):.2f} s", "", True),
        ("longest refusal", f"{refused:.1f} s", f"{REFUSED_SECONDS} s", refused <= REFUSED_SECONDS),
        ("honest failures", str(len(failures)), "0", not failures),
        ("peak memory above idle", f"{grown:,.0f} MB", f"{MEMORY_MB:,.0f} MB", grown <= MEMORY_MB),
        *_left_behind(target, files, idle),
    ]
    print("| what | measured | target | |\n| --- | ---: | ---: | --- |")
    for name, measured, asked, good in rows:
        print(f"| {name} | {measured} | {asked} | {'held' if good else '**BROKEN**'} |")
    print(*failures[:5], sep="\n")
    return int(not all(good for *_, good in rows))


def _again(one: Attack, target: Target, end: float, ran: Counter[str]) -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)  # and of what this thread starts
    while time.monotonic() < end:
        with contextlib.suppress(Exception):  # to be refused is what it may come to
            one.run(target)
        ran[one.name] += 1


def _left_behind(target: Target, files: int, idle: int) -> list[tuple[str, str, str, bool]]:
    """Once attackers have gone and what they may keep for a while has had its time."""
    end = time.monotonic() + CLEAN_SECONDS
    started = time.monotonic()
    while time.monotonic() < end and (
        _stacks(target)
        or len(family(target.pid)) > 1
        or _connections(target)
        or _open_files(target) - files > MORE_FILES
    ):
        time.sleep(2)
    seconds = time.monotonic() - started
    weights = [path.stat().st_size for path in target.work.rglob("files/*/*") if path.is_file()]
    left = (memory(family(target.pid)) - idle) / MB
    stacks, processes, connections = _stacks(target), len(family(target.pid)) - 1, _connections(target)
    more_files = _open_files(target) - files
    return [
        (f"stacks left after {seconds:.0f} s", str(stacks), "0", stacks == 0),
        ("processes left", str(processes), "0", processes == 0),
        ("connections left", str(connections), "0", connections == 0),
        ("open files more than before", str(more_files), str(MORE_FILES), more_files <= MORE_FILES),
        ("weights kept for their hour", f"{len(weights)}, {sum(weights) / MB:.0f} MB", "", True),
        ("memory above idle in the end", f"{left:,.0f} MB", "", True),
    ]


def _stacks(target: Target) -> int:
    return len(list(target.work.glob("run-*/*/stack.zip")))


def _connections(target: Target) -> int:
    with contextlib.suppress(psutil.Error):
        found = psutil.Process(target.pid).net_connections("tcp")
        return sum(one.status == psutil.CONN_ESTABLISHED for one in found)
    return 0


def _open_files(target: Target) -> int:
    return psutil.Process(target.pid).num_fds()


def _honest(target: Target, seconds: float, clients: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, "-m", "scripts.dev._honest", target.address, str(seconds), str(clients)),
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def _wait_for(honest: subprocess.Popen[str]) -> list[dict[str, Any]]:
    met: list[dict[str, Any]] = json.loads(honest.communicate()[0])
    return met


def _p95(met: Sequence[Mapping[str, Any]], kind: str) -> float:
    """Seconds; endless where nothing of this kind was answered."""
    seconds = [one for client in met for one in client[kind]]
    return float(np.percentile(seconds, 95)) if seconds else float("inf")


def _machine() -> str:
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
