"""A model's ONNX and FP32 forms: they depend on the weights alone, are made once, and are kept in the cache folder."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from core.base.worker_process import Event, WorkerProcess
from core.engines import openvino_network, openvino_outputs
from core.engines.openvino_outputs import stages_of
from core.images.preprocessing import Preprocessing
from core.models import onnx_export, openvino_info, openvino_ir
from core.models.architectures import Architecture, load_network
from core.models.graph_files import GRAPH_XML

EXPORT_STEPS = ("Load weights", "Export to ONNX", "Check against PyTorch", "Convert to OpenVINO")
WORKER = "core.models.export_worker"

# What decides the bytes of the forms besides the weights and the preprocessing; see ``core.models.cache.maker``.
PACKAGES = ("numpy", "onnx", "onnxscript", "openvino", "torch", "torchvision")
CODE = tuple(
    Path(str(module.__file__))
    for module in (openvino_network, openvino_outputs, onnx_export, openvino_info, openvino_ir)
)

_DRAFT = "draft-"
_ABANDONED_SECONDS = 3600.0  # a draft this old belongs to a process that was killed; making one takes seconds

# Enters a step by its title; what it yields takes the step's result as a sentence.
EnterStep = Callable[[str], AbstractContextManager[Callable[[str], None]]]


def write_forms(
    architecture: Architecture, weights: Path, preprocessing: Preprocessing, draft: Path, enter: EnterStep
) -> None:
    """Write the ONNX file and the FP32 IR into ``draft``; ``enter`` is called for each of EXPORT_STEPS.

    Raises:
        ModelError: the weights do not fit the architecture, or the export went wrong.
        DiskFull, OSError: the files cannot be written.
    """
    onnx_path, ir_path = draft / architecture.onnx_name, draft / architecture.fp32_name
    load, export, check, convert = EXPORT_STEPS
    if architecture.build is None:
        with enter(load) as tell:
            graph = openvino_ir.convert(weights.with_name(GRAPH_XML))
            tell(file_fact(weights))
        with enter(convert) as tell:
            openvino_ir.save_ir(graph, ir_path, preprocessing, stages_of(graph))
            tell(file_fact(ir_path.with_suffix(".bin")))
        return
    with enter(load) as tell:
        network, classes = load_network(architecture, weights)
        tell(f"{weights.name}, {classes:,} classes")
    with enter(export) as tell:
        onnx_export.export_onnx(network, onnx_path, preprocessing.crop)
        tell(file_fact(onnx_path))
    with enter(check) as tell:
        difference = onnx_export.check_export(network, onnx_path, preprocessing.crop)
        tell(f"logits differ by at most {difference:.1e}")
    with enter(convert) as tell:
        openvino_ir.save_ir(openvino_ir.convert(onnx_path), ir_path, preprocessing, architecture.stages)
        tell(file_fact(ir_path.with_suffix(".bin")))


def are_made(architecture: Architecture, folder: Path) -> bool:
    """Whether all forms are in ``folder``."""
    return (folder / _names(architecture)[-1]).exists()


def make_forms(architecture: Architecture, weights: Path, preprocessing: Preprocessing, folder: Path) -> None:
    """Make the forms in ``folder`` unless they are there, in a process of its own.

    Raises:
        ModelError, DiskFull, OSError: as ``write_forms``.
        WorkerEnded: the process ended before it was done.
    """
    if not are_made(architecture, folder):
        with WorkerProcess(WORKER) as worker:
            make_forms_with(worker, architecture, weights, preprocessing, folder)


def make_forms_with(
    worker: WorkerProcess,
    architecture: Architecture,
    weights: Path,
    preprocessing: Preprocessing,
    folder: Path,
    on_event: Callable[[Event], None] = lambda event: None,
) -> None:
    """As ``make_forms``, in a worker that runs and answers the request ``export``; told are its events."""
    if not are_made(architecture, folder):
        place_forms(
            architecture,
            folder,
            lambda draft: worker.call(
                "export",
                on_event,
                architecture=architecture.name,
                weights=weights,
                preprocessing=preprocessing.model_dump(),
                draft=draft,
            ),
        )


def place_forms(architecture: Architecture, folder: Path, write: Callable[[Path], None]) -> None:
    """Have ``write`` fill a draft folder as ``write_forms`` does, and move its files to ``folder``.

    They appear complete or not at all. Two processes that do this at once give each other equal files.

    Raises:
        OSError: the folder cannot be written; and whatever ``write`` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for abandoned in folder.glob(f"{_DRAFT}*"):
        if time.time() - abandoned.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(abandoned, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_DRAFT) as name:
        draft = Path(name)
        write(draft)
        for made in _names(architecture):
            (draft / made).replace(folder / made)


def _names(architecture: Architecture) -> tuple[str, ...]:
    """Of the forms, in the order in which they are moved to their place."""
    ir = architecture.fp32_name
    onnx = () if architecture.build is None else (architecture.onnx_name,)
    return (str(Path(ir).with_suffix(".bin")), ir, *onnx)


def file_fact(path: Path) -> str:
    """``resnet18.onnx, 44.7 MB``."""
    return f"{path.name}, {path.stat().st_size / 1e6:,.1f} MB"
