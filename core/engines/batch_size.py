"""The automatic batch size: measured on this machine once for each model and engine, then remembered."""

from __future__ import annotations

import json
import math
import platform
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.base.cpu import cpu_count, cpu_name
from core.engines.engine import Engine

CANDIDATES = (1, 2, 4, 8, 16, 32)
# The sizes take turns in several rounds, and the best turn of each counts: whatever else runs only ever slows it down.
ROUNDS = 5
SECONDS_PER_TURN = 0.06
# Sizes that differ by no more than noise. Among them the one nearest to 8 is taken: smaller ones cost more calls, which
# the engine's speed alone does not show, larger ones memory, a coarser progress bar and a longer tail.
NEAR_BEST = 0.97
PREFERRED = 8
MOST_REMEMBERED = 200

_lock = threading.Lock()


def automatic_batch_size(engine: Engine, model_checksum: str, cache_dir: Path) -> int:
    """The batch size with the best throughput here; measures for two or three seconds the first time.

    Args:
        engine: a loaded engine.
        model_checksum: identifies the model; with engine, its library's version, machine and core count it is the key
            of the memory, of which the latest ``MOST_REMEMBERED`` are kept.
        cache_dir: where ``batch_sizes.json`` is kept. A folder that cannot be written only means measuring again.
    """
    path = cache_dir / "batch_sizes.json"
    machine = f"{platform.machine()} {cpu_name()} {cpu_count()} cores"
    key = f"{model_checksum} {engine.name} {engine.precision} {engine.library} {machine}"
    with _lock:  # measurements side by side would spoil each other
        known = _read(path)
        if key not in known:
            known[key] = measure_batch_size(engine)
            _write(path, dict(list(known.items())[-MOST_REMEMBERED:]))
        return known[key]


def measure_batch_size(engine: Engine, seconds: float = SECONDS_PER_TURN) -> int:
    """Sweep ``CANDIDATES`` in several rounds, all parallel requests busy; see ``choose_size``.

    A turn takes ``seconds``. Parallel requests keep all cores busy whatever the size, so the CPU time of an image tells
    their speed, and hardly depends on what else the machine does. A single request may leave cores idle: its time is
    taken by the clock.
    """
    clock = time.process_time if engine.parallelism > 1 else time.perf_counter
    for size in CANDIDATES:
        throughput(engine, size, 0.0)  # the first calls of a new shape build its kernels
    rounds = [[throughput(engine, size, seconds, clock) for size in CANDIDATES] for _ in range(ROUNDS)]
    return choose_size(dict(zip(CANDIDATES, map(max, zip(*rounds, strict=True)), strict=True)))


def choose_size(rates: Mapping[int, float]) -> int:
    """Of the batch sizes whose rate, in any unit, is within noise of the best, the one nearest to ``PREFERRED``."""
    best = max(rates.values())
    near = [size for size, rate in sorted(rates.items()) if rate >= NEAR_BEST * best]
    return min(near, key=lambda size: abs(math.log2(size / PREFERRED)))


def throughput(engine: Engine, size: int, seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Images per second of ``clock`` in batches of ``size``, all parallel requests busy for about ``seconds``.

    Every request runs one call at least.
    """
    batch = np.random.default_rng(0).integers(0, 256, (size, *engine.input_shape), dtype=np.uint8)
    with ThreadPoolExecutor(engine.parallelism) as pool:
        started = clock()
        images = keep_busy(pool, engine, batch, seconds) * size
        return images / max(clock() - started, 1e-9)


def keep_busy(pool: ThreadPoolExecutor, engine: Engine, batch: NDArray[np.uint8], seconds: float) -> int:
    """Infer ``batch`` on all of the engine's parallel requests for ``seconds``, each once at least; count the calls."""
    deadline = time.perf_counter() + seconds

    def work(_: int) -> int:
        calls = 0
        while calls == 0 or time.perf_counter() < deadline:
            engine.infer(batch)
            calls += 1
        return calls

    return sum(pool.map(work, range(engine.parallelism)))


def _read(path: Path) -> dict[str, int]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: size for key, size in content.items() if size in CANDIDATES}


def _write(path: Path, known: dict[str, int]) -> None:
    draft = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(known, indent=1))
        draft.replace(path)
    except OSError:
        return
