"""Batch sizes x streams: where an engine is fastest on this machine, inference only."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from threading import Event

from core.base.cpu import cpu_count
from core.benchmark.report import Sweep, SweepCell
from core.benchmark.subjects import stop_if_cancelled
from core.engines.batch_size import CANDIDATES, NEAR_BEST, throughput
from core.engines.engine import Engine
from core.engines.openvino import FP32, INT8, OpenVinoEngine
from core.models.model import Model

Compile = Callable[[int], Engine]


def sweep(model: Model, repeats: int, seconds: float, on_turn: Callable[[], None], cancelled: Event) -> Sweep:
    """Measure the model's fastest OpenVINO form at all settings in turn, ``repeats`` times for ``seconds``.

    Args:
        on_turn: called after every setting's turn, ``turns(repeats)`` times in all.

    Raises:
        Cancelled: the event was set.
        ModelError, EngineUnavailable: the model cannot be loaded.
    """
    name = INT8.name if model.has_int8 else FP32.name
    own = model.engine(name)
    path = model.int8_ir() if model.has_int8 else model.fp32_ir()

    def compile_for(streams: int) -> Engine:
        return OpenVinoEngine(name, path, None, streams=streams)

    return measure_sweep(own, compile_for, repeats, seconds, on_turn, cancelled)


def turns(repeats: int) -> int:
    """How many turns a sweep of this machine has."""
    return repeats * len(CANDIDATES) * len(stream_counts())


def stream_counts() -> tuple[int, ...]:
    """Powers of two up to the number of CPUs, and that number."""
    cores = cpu_count()
    return (*(2**power for power in range(cores.bit_length()) if 2**power < cores), cores)


def measure_sweep(
    own: Engine, compile_for: Compile, repeats: int, seconds: float, on_turn: Callable[[], None], cancelled: Event
) -> Sweep:
    """See ``sweep``; ``compile_for`` makes the engine with so many streams, ``own`` is the one in use."""
    engines = {streams: compile_for(streams) for streams in stream_counts()}
    settings = [(size, streams) for streams in engines for size in CANDIDATES]
    rates: dict[tuple[int, int], list[float]] = {setting: [] for setting in settings}
    for size, streams in settings:
        stop_if_cancelled(cancelled)
        throughput(engines[streams], size, 0.0)  # builds the kernels of the shape
    for _ in range(repeats):
        for size, streams in settings:
            stop_if_cancelled(cancelled)
            rates[size, streams].append(throughput(engines[streams], size, seconds))
            on_turn()
    cells = [
        SweepCell(batch_size=size, streams=streams, images_per_second=median(found))
        for (size, streams), found in rates.items()
    ]
    return Sweep(engine=own.name, cells=tuple(cells), best=_best(cells), product_streams=own.parallelism)


def _best(cells: list[SweepCell]) -> SweepCell:
    fastest = max(cell.images_per_second for cell in cells)
    near = [cell for cell in cells if cell.images_per_second >= NEAR_BEST * fastest]
    return min(near, key=lambda cell: (cell.batch_size, cell.streams))
