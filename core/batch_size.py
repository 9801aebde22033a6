"""The automatic batch size: measured on this machine once for each model and engine, then remembered."""

from __future__ import annotations

import json
import platform
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from core.engines.base import Engine
from core.settings import MODEL_INPUT_SIDE, cpu_count

CANDIDATES = (1, 2, 4, 8, 16, 32)
SECONDS_PER_CANDIDATE = 0.15
# A larger batch costs memory and a coarser progress bar, so it must be faster by more than noise to be chosen.
WORTHWHILE_GAIN = 1.03

_lock = threading.Lock()


def automatic_batch_size(engine: Engine, model_checksum: str, cache_dir: Path) -> int:
    """The batch size with the best throughput here; measures for about a second the first time.

    Args:
        engine: a loaded engine.
        model_checksum: identifies the model; with engine, machine and core count it is the key of the memory.
        cache_dir: where ``batch_sizes.json`` is kept. A folder that cannot be written only means measuring again.
    """
    path = cache_dir / "batch_sizes.json"
    key = f"{model_checksum} {engine.name} {engine.precision} {platform.machine()} {_cpu_name()} {cpu_count()} cores"
    with _lock:  # measurements side by side would spoil each other
        known = _read(path)
        if key not in known:
            known[key] = measure_batch_size(engine)
            _write(path, known)
        return known[key]


def measure_batch_size(engine: Engine) -> int:
    """Sweep ``CANDIDATES``, all of the engine's parallel requests busy, and return the smallest near-best size."""
    best_size, best_rate = 1, 0.0
    for size in CANDIDATES:
        rate = _images_per_second(engine, size)
        if rate > best_rate * WORTHWHILE_GAIN:
            best_size, best_rate = size, rate
    return best_size


def _images_per_second(engine: Engine, size: int) -> float:
    shape = (size, MODEL_INPUT_SIDE, MODEL_INPUT_SIDE, 3)
    batch = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    engine.infer(batch)  # the first call of a new shape builds its kernels

    def work(deadline: float) -> int:
        calls = 0
        while calls == 0 or time.perf_counter() < deadline:
            engine.infer(batch)
            calls += 1
        return calls

    with ThreadPoolExecutor(engine.parallelism) as pool:
        started = time.perf_counter()
        deadline = started + SECONDS_PER_CANDIDATE
        calls = sum(pool.map(work, [deadline] * engine.parallelism))
        return calls * size / (time.perf_counter() - started)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


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
