"""OpenVINO on the CPU, for the INT8 and the FP32 model."""

from __future__ import annotations

import fcntl
import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import ModelError
from core.base.telemetry import forbid_telemetry
from core.engines.engine import check_batch
from core.recognition.results import EngineName

forbid_telemetry()  # before anything below imports OpenVINO
_core_lock = threading.Lock()


def shared_core() -> Any:
    """The process's one ``ov.Core``: plugins are loaded once and their threads shared. Call it before anything else."""
    with _core_lock:
        return _make_core()


@cache
def _make_core() -> Any:
    import openvino as ov

    # Builds OpenVINO's table of types, which otherwise happens in the first inference: two threads that get there
    # together wait for each other for ever, one for the interpreter lock and one for the table (2026.4.1).
    ov.Type.u8.to_dtype()
    return ov.Core()


@contextmanager
def _sole_user(cache_dir: Path | None) -> Iterator[None]:
    """Keep other processes away from the cache: OpenVINO maps its files, and a bus error ends it where one is written.

    A folder that cannot be written has no writers.
    """
    with ExitStack() as exits:
        if cache_dir is not None:
            with suppress(OSError):
                cache_dir.mkdir(parents=True, exist_ok=True)
                lock = exits.enter_context((cache_dir / "lock").open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class OpenVinoEngine:
    """A compiled IR and a pool of its infer requests.

    The IR takes uint8 ``[B, 224, 224, 3]`` itself: normalisation is part of the graph (``core.optimize``).
    Calling a CompiledModel directly would make all threads share one request, so requests are lent out instead.
    ``streams`` is how many of them share the cores; None leaves it to OpenVINO.
    """

    def __init__(self, name: EngineName, ir_path: Path, cache_dir: Path | None, streams: int | None = None) -> None:
        import openvino.properties as props
        import openvino.properties.hint as hints

        self.name = name
        config = {
            hints.performance_mode: hints.PerformanceMode.THROUGHPUT,
            # Without it "FP32" silently runs in bf16 on CPUs with AMX.
            hints.inference_precision: "f32",
        }
        if streams is not None:
            config[props.num_streams] = streams
        cached = {props.cache_dir: str(cache_dir)} if cache_dir is not None else {}
        try:
            try:
                with _sole_user(cache_dir):
                    self._model = shared_core().compile_model(str(ir_path), "CPU", config | cached)
            except RuntimeError:  # the cache is damaged, or the disk is full
                self._model = shared_core().compile_model(str(ir_path), "CPU", config | {props.cache_dir: ""})
        except RuntimeError as error:
            raise ModelError(f"The model file {ir_path.name} cannot be loaded; reinstall the model.") from error
        self.classes: int = self._model.output(0).partial_shape[1].get_length()
        self.precision = convolution_precision(self._model)
        self.parallelism: int = self._model.get_property(props.optimal_number_of_infer_requests)
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.parallelism):
            self._requests.put(self._model.create_infer_request())

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See ``Engine.infer``."""
        check_batch(batch)
        request = self._requests.get()
        try:
            request.infer([np.ascontiguousarray(batch)], share_inputs=True)
            logits: NDArray[np.float32] = request.get_output_tensor(0).data.copy()
            return logits
        finally:
            self._requests.put(request)


def convolution_precision(model: Any) -> str:
    """The number format most convolutions of a compiled model execute in, from its execution graph."""
    counts: dict[str, int] = {}
    for node in model.get_runtime_model().get_ops():
        info = node.get_rt_info()
        if "layerType" in info and "Convolution" in str(info["layerType"].value):
            precision = str(info["runtimePrecision"].value).upper()
            counts[precision] = counts.get(precision, 0) + 1
    if not counts:
        return "UNKNOWN"
    most = max(counts, key=lambda precision: counts[precision])
    return {"I8": "INT8", "U8": "INT8", "F32": "FP32", "F16": "FP16"}.get(most, most)
