"""Reading a foreign model in a process of its own, which the system holds to limits; ``importer`` is its other end."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.base.errors import AppError, ModelError, WeightsInvalid
from core.base.process_limits import limit, limit_memory
from core.base.settings import MAX_WEIGHTS_BYTES, MIB
from core.base.worker_main import Events, serve
from core.engines.openvino import EXACT
from core.models.card import CARD_NAME
from core.models.foreign.checks import check_ir, check_onnx
from core.models.foreign.graph import Found, check_size, head_of, unify
from core.models.foreign.model_zip import unpack
from core.models.foreign.networks import build_network
from core.models.foreign.own_folder import check_folder
from core.models.graph_files import GRAPH_XML, UNPACKED
from core.models.openvino_info import OWN
from core.models.openvino_ir import convert, save_graph

MEMORY_BYTES = 4096 * MIB  # beyond the libraries and eight times the file: ViT-B/16 takes 1.5 GB for its first run
UNPACKING_BYTES = 512 * MIB
SMALL_BYTES = 64 * MIB  # that nobody needs to explain
CPU_SECONDS = 600
MOST_SECONDS = 20  # of one core for an image: a ViT-L/16 for 512 px takes 7
ALLOWED_DIFFERENCE = 1e-3
FOUND_NAME, HEAD_NAME = "found.json", "head.npz"


def read_graph(
    events: Events, source: str, draft: str, side: int, numbers: str = "", limit: int = MAX_WEIGHTS_BYTES
) -> None:
    """Write the graph of an ONNX file or IR into ``draft``, with what was found.

    Args:
        source: ``.onnx``, ``.xml``, or a ``.zip`` of an IR or of a model folder of ours.
        side: of the input; 0 where unknown.
        numbers: an IR's ``.bin``, where it is not beside it.
        limit: most bytes of what is in a ZIP.
    """
    path, folder = Path(source), Path(draft)
    import openvino as ov

    try:
        if path.suffix.lower() == ".zip":
            path = _unpacked(path, folder, limit)
        elif numbers:
            path = _beside(path, Path(numbers), folder)
        _confine(path)
        if path.name == CARD_NAME:
            scratch = folder / "scratch"
            scratch.mkdir()
            check_folder(path.parent, scratch, limit)
            (folder / FOUND_NAME).write_text(json.dumps({"ours": True}))
            return
        (check_onnx if path.suffix.lower() == ".onnx" else check_ir)(path)
        core = ov.Core()
        model = convert(path)
        info = _info(model)
        expected = core.read_model(str(path))
        found = unify(model, side)
        expected.reshape([-1, 3, found.side, found.side])
        most = _most_numbers(path)

        def origin(probe: NDArray[np.float32]) -> Any:
            return core.compile_model(expected, "CPU", EXACT)(probe)[0]

        _write(core, model, found, folder, info, origin, most)
    except (AppError, OSError):
        raise
    except Exception as error:  # whatever libraries make of a stranger's file
        raise WeightsInvalid(_words(Path(source), error)) from error


def _unpacked(archive: Path, folder: Path, limit: int) -> Path:
    _confine(archive, UNPACKING_BYTES)
    inside = folder / UNPACKED
    inside.mkdir()
    return unpack(archive, inside, limit)


def _beside(graph: Path, numbers: Path, folder: Path) -> Path:
    """The two files of an IR under one name, by which OpenVINO finds the second."""
    path = folder / "model.xml"
    path.symlink_to(graph)
    path.with_suffix(".bin").symlink_to(numbers)
    return path


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
            most = _most_numbers(path)
            _write(core, model, found, Path(draft), info, lambda probe: network(torch.from_numpy(probe)).numpy(), most)
    except (AppError, OSError):
        raise
    except Exception as error:
        raise WeightsInvalid(_words(path, error)) from error


def _write(core: Any, model: Any, found: Found, draft: Path, info: dict[str, Any], origin: Any, most: int) -> None:
    """Save the graph, whose numbers may take ``most`` bytes, and hold its logits against those of its ``origin``."""
    check_size(model)
    numbers = sum(node.get_byte_size() for node in model.get_ordered_ops() if node.get_type_name() == "Constant")
    if numbers > most:
        raise ModelError("The model's constants unfold to far more than its file has; export it without such.")
    head = head_of(model)
    save_graph(model, draft / GRAPH_XML)
    probe = np.random.default_rng(0).normal(size=(3, 3, found.side, found.side)).astype(np.float32)
    compiled = core.compile_model(core.read_model(str(draft / GRAPH_XML)), "CPU", EXACT)
    begun = time.process_time()
    ours = compiled(probe)[0]
    seconds = (time.process_time() - begun) / len(probe)
    if seconds > MOST_SECONDS:
        raise ModelError(f"The model takes {seconds:,.0f} seconds of a core for an image; choose a smaller one.")
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


def _size(path: Path) -> int:
    """Bytes of a file, with an IR's numbers beside it, or of a folder of ours by its card."""
    inside = path.parent.iterdir() if path.name == CARD_NAME else (path, path.with_suffix(".bin"))
    return sum(one.stat().st_size for one in inside if one.exists())


def _most_numbers(path: Path) -> int:
    """Bytes that a file's numbers may unfold to as float32: four times its own where they are 8 bits each."""
    return 4 * _size(path) + SMALL_BYTES


def _confine(path: Path, more_bytes: int = 0) -> None:
    """Set before the first byte of a file is looked at, and anew for what it unfolds to; the kernel keeps it.

    ``more_bytes`` is what may be taken; 0 goes by the size of the file.
    """
    more_bytes = more_bytes or MEMORY_BYTES + 8 * _size(path)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_CPU, CPU_SECONDS, for_good=False)
    limit_memory(more_bytes, for_good=False)
    if sys.platform == "linux":
        limit(resource.RLIMIT_FSIZE, more_bytes, for_good=False)


if __name__ == "__main__":
    serve({"read_graph": read_graph, "read_state": read_state})
