"""The engine beside OpenVINO's own ``benchmark_app``: the same model, hint and batch, in the same minute."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from threading import Event

from core.base.errors import EngineUnavailable
from core.benchmark.report import AppComparison
from core.benchmark.subjects import stop_if_cancelled
from core.engines.batch_size import throughput
from core.engines.openvino import INT8
from core.models.model import Model

SECONDS = 3
MAIN = "from openvino.tools.benchmark.main import main; main()"  # as the benchmark_app on the path does


def compare_with_benchmark_app(
    model: Model, batch_size: int, rounds: int, cancelled: Event, *, seconds: int = SECONDS, main: str = MAIN
) -> AppComparison:
    """Run the INT8 engine and benchmark_app, which is the Python code ``main``, in turn, ``seconds`` each.

    Raises:
        EngineUnavailable: the model has no INT8 copy, or benchmark_app did not run.
        Cancelled: the event was set.
    """
    engine = model.engine(INT8.name)
    throughput(engine, batch_size, 0.0)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        stop_if_cancelled(cancelled)
        ours.append(throughput(engine, batch_size, seconds))
        theirs.append(_benchmark_app(model.int8_path, batch_size, engine.input_shape, seconds, main))
    return AppComparison(
        engine=INT8.name,
        batch_size=batch_size,
        images_per_second=tuple(ours),
        benchmark_app_images_per_second=tuple(theirs),
        ratio=median(own / other for own, other in zip(ours, theirs, strict=True)),
    )


def _benchmark_app(ir_path: Path, batch_size: int, input_shape: tuple[int, int, int], seconds: int, main: str) -> float:
    """What ``benchmark_app`` reports, in images per second."""
    shape = f"[{','.join(map(str, (batch_size, *input_shape)))}]"
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-c", main, "-m", str(ir_path), "-d", "CPU",
            "-hint", "throughput", "-infer_precision", "f32", "-shape", shape, "-t", str(seconds),
            "-report_type", "no_counters", "-json_stats", "-report_folder", folder,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
        try:
            results = json.loads((Path(folder) / "benchmark_report.json").read_text())["execution_results"]
            return float(results["throughput"])
        except (OSError, ValueError, KeyError) as error:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
            raise EngineUnavailable(f"OpenVINO's benchmark_app did not run: {said[0]}") from error
