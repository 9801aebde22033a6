"""Reading a foreign model in a process of its own, which the system holds to limits; ``importer`` is its other end."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np

from core.base.errors import ModelError, WeightsInvalid
from core.base.settings import MAX_WEIGHTS_BYTES, MIB
from core.base.worker_main import Events, serve
from core.engines.openvino import EXACT
from core.models.foreign.checks import check_ir, check_onnx
from core.models.foreign.graph import Found, head_of, unify
from core.models.foreign.ir_zip import unpack_ir
from core.models.foreign.networks import build_network
from core.models.graph_files import GRAPH_XML
from core.models.openvino_info import OWN
from core.models.openvino_ir import convert

MEMORY_BYTES = 4096 * MIB  # beyond the libraries and eight times the file: ViT-B/16 takes 1.5 GB for its first run
CPU_SECONDS = 600
ALLOWED_DIFFERENCE = 1e-3
FOUND_NAME, HEAD_NAME = "found.json", "head.npz"


def read_graph(events: Events, source: str, draft: str, side: int, limit: int = MAX_WEIGHTS_BYTES) -> None:
    """Write the graph of an ONNX file or IR into ``draft``, with what was found.

    Args:
        source: ``.onnx``, ``.xml`` with its ``.bin`` beside it, or a ``.zip`` of those two.
        side: of the input; 0 where unknown.
        limit: most bytes of a file in a ZIP.
    """
    path = Path(source)
    import openvino as ov

    _confine(path)
    if path.suffix.lower() == ".zip":
        path = unpack_ir(path, Path(draft), limit)
    (check_onnx if path.suffix.lower() == ".onnx" else check_ir)(path)
    core = ov.Core()
    try:
        model = convert(path)
        info = _info(model)
        expected = core.read_model(str(path))
        found = unify(model, side)
        expected.reshape([-1, 3, found.side, found.side])
        _write(
            core, model, found, Path(draft), info, lambda probe: core.compile_model(expected, "CPU", EXACT)(probe)[0]
        )
    except (RuntimeError, MemoryError) as error:
        raise WeightsInvalid(_words(path, error)) from error


def read_state(events: Events, source: str, draft: str, side: int, architecture: str, **_: object) -> None:
    """As ``read_graph``, of a safetensors file that ``core.models.weights.import_weights`` wrote."""
    import openvino as ov
    import torch

    path = Path(source)
    built = build_network(path, architecture, side)
    network = built.network
    _confine(path)
    try:
        with torch.inference_mode():
            model = ov.convert_model(network, example_input=torch.zeros(2, 3, side, side))
            found = unify(model, side)
            if found.classes != built.classes:
                raise ModelError(f"The network gives {found.classes} scores for {built.classes} classes.")
            core = ov.Core()
            info = {"library": built.library}
            _write(core, model, found, Path(draft), info, lambda probe: network(torch.from_numpy(probe)).numpy())
    except (RuntimeError, MemoryError) as error:
        raise WeightsInvalid(_words(path, error)) from error


def _write(core: Any, model: Any, found: Found, draft: Path, info: dict[str, Any], origin: Any) -> None:
    """Save the graph, and hold its logits against those of its ``origin``."""
    import openvino as ov

    head = head_of(model)
    ov.save_model(model, str(draft / GRAPH_XML), compress_to_fp16=False)
    probe = np.random.default_rng(0).normal(size=(3, 3, found.side, found.side)).astype(np.float32)
    ours = core.compile_model(core.read_model(str(draft / GRAPH_XML)), "CPU", EXACT)(probe)[0]
    theirs = np.asarray(origin(probe)).reshape(ours.shape)
    if not np.isfinite(ours).all():
        raise ModelError("The model gives NaN or infinity; the training went wrong. Use an earlier checkpoint.")
    likeness = {"shown": theirs - theirs.max(1, keepdims=True), "made": ours - ours.max(1, keepdims=True)}
    difference = float(np.abs(likeness["shown"] - likeness["made"]).max())
    if np.allclose(theirs.sum(1), 1, atol=1e-3) and (theirs >= 0).all():  # it ended in a softmax, which was left away
        exact = np.exp(likeness["made"])
        difference = float(np.abs(exact / exact.sum(1, keepdims=True) - theirs).max())
    if difference > ALLOWED_DIFFERENCE:
        raise ModelError(f"The converted model differs from the original by {difference:.4f}; it was not kept.")
    if head is not None:
        np.savez(draft / HEAD_NAME, weight=head[0], bias=head[1])
    (draft / FOUND_NAME).write_text(json.dumps({**found.as_dict(), "info": info, "difference": difference}))


def _info(model: Any) -> dict[str, Any]:
    """What ``rt_info`` says of preprocessing and labels."""
    facts: dict[str, Any] = {"own": "", "model_info": {}}
    if model.has_rt_info([OWN, "preprocessing"]):
        facts["own"] = str(model.get_rt_info([OWN, "preprocessing"]).astype(str))
    for key in ("mean_values", "scale_values", "reverse_input_channels", "resize_type", "interpolation_mode", "labels"):
        if model.has_rt_info(["model_info", key]):
            facts["model_info"][key] = str(model.get_rt_info(["model_info", key]).astype(str))
    return facts


def _words(path: Path, error: BaseException) -> str:
    if isinstance(error, MemoryError) or "bad_alloc" in str(error) or "not enough memory" in str(error):
        return f"{path.name} takes far more memory than an image classifier should; it was not kept."
    return f"{path.name} cannot be run by OpenVINO: an operator is unknown or the graph is damaged; export it again."


def _confine(path: Path) -> None:
    """Set before the first byte of the file is looked at; the kernel keeps it."""
    size = path.stat().st_size + (path.with_suffix(".bin").stat().st_size if path.with_suffix(".bin").exists() else 0)
    limits = {resource.RLIMIT_CPU: CPU_SECONDS, resource.RLIMIT_CORE: 0}
    if sys.platform == "linux":
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limits[resource.RLIMIT_AS] = mapped + MEMORY_BYTES + 8 * size
    for kind, wanted in limits.items():
        _, hard = resource.getrlimit(kind)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    serve({"read_graph": read_graph, "read_state": read_state})
