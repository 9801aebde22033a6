"""OpenVINO on the CPU, for the INT8 and the FP32 model."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import EngineUnavailable, ModelError
from core.base.file_lock import lock
from core.base.telemetry import forbid_telemetry
from core.engines.engine import (
    LOGITS,
    EngineDescription,
    EngineName,
    ModelFiles,
    Stage,
    check_batch,
    check_outputs,
)
from core.engines.openvino_network import only_network
from core.engines.openvino_outputs import add_outputs, has_stages, name_stages, output_names

# Without it "FP32" silently runs in bf16 on CPUs with AMX.
EXACT: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32"}

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
                lock(exits.enter_context((cache_dir / "lock").open("w")))
        yield


class OpenVinoEngine:
    """A compiled IR and a pool of its infer requests, and one more of both for other outputs once they are asked for.

    Of the IR (``core.models.openvino_ir``) what takes model inputs uint8 ``[B, *input_shape]`` is run: images are
    resized before, normalisation is part of the graph.
    """

    def __init__(
        self,
        name: EngineName,
        ir_path: Path,
        cache_dir: Path | None,
        stages: Sequence[Stage] = (),
        streams: int | None = None,
    ) -> None:
        """``streams`` is how many requests share the cores; None leaves it to OpenVINO."""
        self.name = name
        self.library = f"OpenVINO {version('openvino')}"
        self._ir_path, self._cache_dir, self._streams = ir_path, cache_dir, streams
        self._logits = _Compiled(self._network(), cache_dir, streams)
        model = self._logits.model
        _, height, width, channels = model.input(0).partial_shape
        self.input_shape = (height.get_length(), width.get_length(), channels.get_length())
        self.classes: int = model.output(0).partial_shape[1].get_length()
        self.precision = convolution_precision(model)
        self.parallelism = self._logits.parallelism
        self._stages = tuple(stages)
        self._others: dict[frozenset[str], _Compiled] = {}
        self._lock = threading.Lock()

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """See ``Engine``."""
        return output_names(self._graph(), self._stages)

    def infer(self, batch: NDArray[np.uint8], outputs: Sequence[str] = (LOGITS,)) -> Mapping[str, NDArray[np.float32]]:
        """See ``Engine.infer``."""
        check_batch(batch, self.input_shape)
        if tuple(outputs) == (LOGITS,):
            return {LOGITS: self._logits.infer(batch)[0]}
        check_outputs(outputs, self)
        names = sorted(set(outputs))
        return dict(zip(names, self._compiled_for(names).infer(batch), strict=True))

    def _compiled_for(self, names: Sequence[str]) -> _Compiled:
        with self._lock:
            key = frozenset(names)
            if key not in self._others:
                graph = self._graph()
                add_outputs(graph, names, self._stages)
                self._others[key] = _Compiled(graph, self._cache_dir, self._streams)
            return self._others[key]

    def _graph(self) -> Any:
        """The IR's graph, with its stages named: graphs that were written before 0.2 have no names for them."""
        graph = self._network()
        if not has_stages(graph, self._stages):
            name_stages(graph, self._stages)
        return graph

    def _network(self) -> Any:
        try:
            return only_network(shared_core().read_model(str(self._ir_path)))
        except RuntimeError as error:
            raise ModelError(f"The model file {self._ir_path.name} cannot be loaded; reinstall the model.") from error


class _Compiled:
    """A compiled model with a pool of infer requests: its own call would make all threads share one request."""

    def __init__(self, source: Any, cache_dir: Path | None, streams: int | None) -> None:
        """``source`` is an ``ov.Model``."""
        import openvino.properties as props
        import openvino.properties.hint as hints

        config = EXACT | {hints.performance_mode: hints.PerformanceMode.THROUGHPUT}
        if streams is not None:
            config[props.num_streams] = streams
        cached = {props.cache_dir: str(cache_dir)} if cache_dir is not None else {}
        try:
            try:
                with _sole_user(cache_dir):
                    self.model = shared_core().compile_model(source, "CPU", config | cached)
            except RuntimeError:  # the cache is damaged, or the disk is full
                self.model = shared_core().compile_model(source, "CPU", config | {props.cache_dir: ""})
        except RuntimeError as error:
            name = source.get_friendly_name()
            raise ModelError(f"The model {name} cannot be loaded; reinstall it.") from error
        self.parallelism: int = self.model.get_property(props.optimal_number_of_infer_requests)
        self._outputs = len(self.model.outputs)
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.parallelism):
            self._requests.put(self.model.create_infer_request())

    def infer(self, batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """All outputs, in the graph's order."""
        request = self._requests.get()
        try:
            request.infer([np.ascontiguousarray(batch)], share_inputs=True)
            return [request.get_output_tensor(place).data.copy() for place in range(self._outputs)]
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


def _missing_int8(files: ModelFiles) -> str:
    if files.has_int8:
        return ""
    return f"{files.title} has no INT8 copy yet: calibrate it on the Optimize page, or choose an FP32 engine."


def _load(files: ModelFiles, *, name: EngineName, int8: bool) -> OpenVinoEngine:
    if int8 and (missing := _missing_int8(files)):
        raise EngineUnavailable(missing)
    ir_path = files.int8_ir() if int8 else files.fp32_ir()
    return OpenVinoEngine(name, ir_path, files.cache_folder("compiled", ["openvino"]), files.stages)


INT8 = EngineDescription(
    name="openvino-int8",
    label="OpenVINO INT8",
    library="OpenVINO",
    precision="INT8",
    order=10,
    load=partial(_load, name="openvino-int8", int8=True),
    missing=_missing_int8,
    is_default=True,
)
FP32 = EngineDescription(
    name="openvino-fp32",
    label="OpenVINO FP32",
    library="OpenVINO",
    precision="FP32",
    order=20,
    load=partial(_load, name="openvino-fp32", int8=False),
    is_heavy=lambda files: not files.has_fp32,
)
ENGINES = (INT8, FP32)
