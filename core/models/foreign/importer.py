"""A model of a foreign file: read in a process of its own, its preprocessing known, its folder whole or not there."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from core.base.errors import InvalidRequest, LabelsInvalid, PreprocessingUnknown, WeightsInvalid
from core.base.settings import Settings
from core.base.worker_process import WorkerEnded, WorkerProcess
from core.images.preprocessing import Preprocessing
from core.models.architectures import GRAPH
from core.models.card import WEIGHTS_NAME, GraphFacts, ModelCard, file_checksum, read_card, write_card
from core.models.foreign.new_head import write_head
from core.models.foreign.preprocessing_files import (
    architecture_of,
    labels_of,
    preprocessing_of,
    preprocessing_of_info,
    read_json,
)
from core.models.graph_files import GRAPH_BIN, GRAPH_XML, UNPACKED
from core.models.install import replacing
from core.models.labels import clean_label, read_labels
from core.models.model import Model
from core.models.weights import import_weights

WORKER = "core.models.foreign.worker"
StartWorker = Callable[[str], AbstractContextManager[WorkerProcess]]
ARCHIVE, NUMBERS = ".zip", ".bin"
GRAPHS = (".onnx", ".xml", ARCHIVE)
STATES = (".safetensors", ".pth", ".pt")


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What is to be imported.

    Attributes:
        source: ``.onnx``, ``.xml``, a ``.zip`` of an IR or of a model folder of ours, or a state dict
            (``.safetensors``, ``.pth``, ``.pt``).
        title: for people; empty: as a model of ours calls itself.
        architecture: torchvision's or timm's name of a state dict's network; empty for graphs, or in a config.
        labels: a file of class names, or empty where the model or its settings name them.
        settings: files beside it that say its preprocessing or classes: ``config.json``, ``preprocessor_config.json``.
        preprocessing: as the person says; wins over files.
        numbers: an IR's ``.bin``; None where it is beside it.

    A model of ours says its classes and preprocessing itself; what is said here of them is not looked at then.
    """

    source: Path
    title: str
    architecture: str = ""
    labels: bytes = b""
    settings: Sequence[Path] = field(default_factory=tuple)
    preprocessing: Preprocessing | None = None
    numbers: Path | None = None


def import_model(order: ImportOrder, folder: Path, settings: Settings, worker: StartWorker = WorkerProcess) -> Model:
    """Make a model's folder of a foreign file; it has no INT8 copy yet, unless it is one of ours that has.

    Args:
        order: what is there and known of it.
        folder: its name becomes the model's name; a model that is there is replaced.
        settings: limits and the folder for caches.
        worker: makes the process that reads the file.

    Raises:
        WeightsInvalid: the file is damaged, hostile, too large or no classifier of single images.
        PreprocessingUnknown: nothing says how images become its inputs.
        LabelsInvalid: its classes have no names, or others than it has outputs.
        InvalidRequest: nothing says its name, or its network.
        OSError: the folder cannot be written.
    """
    source = order.source
    kind = source.suffix.lower()
    if kind not in (*GRAPHS, *STATES):
        raise InvalidRequest(f"{source.name} is no model; choose an .onnx, .xml, .zip, .safetensors, .pth or .pt file.")
    if order.numbers is not None and kind != ".xml":
        raise InvalidRequest(f"{order.numbers.name} goes with the .xml of an OpenVINO IR; choose both files.")
    for file in (source, order.numbers):
        if file is not None and file.stat().st_size > settings.max_weights_bytes:
            raise WeightsInvalid(
                f"{file.name} is larger than AISR_MAX_WEIGHTS_BYTES allows; raise it, or choose another."
            )
    said = [read_json(path) for path in order.settings]
    architecture = order.architecture or next((name for one in said if (name := architecture_of(one))), "")
    known = order.preprocessing or _first(said, order.settings)
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        found = _read(order, kind, architecture, known, made, settings, worker)
        if "ours" in found:
            return _place_own(made / UNPACKED, order.title, folder, settings)
        if not order.title:
            raise InvalidRequest("Give the model a name, on the command line by --title: an OpenVINO IR brings none.")
        preprocessing = known or preprocessing_of_info(found["info"]["own"], found["info"]["model_info"], found["side"])
        if preprocessing is None:
            raise PreprocessingUnknown(
                f"Nothing says how images become inputs of {source.name}: give its config.json or "
                "preprocessor_config.json, or mean, standard deviation and sizes yourself."
            )
        if preprocessing.crop != found["side"]:
            raise PreprocessingUnknown(
                f"The model takes {found['side']} pixels a side, and its preprocessing makes {preprocessing.crop}; "
                "give the one it was trained with."
            )
        classes = _classes(order, found, said)
        with replacing(folder) as draft:
            for part in (GRAPH_XML, GRAPH_BIN):
                shutil.move(made / part, draft / part)
            if (head := made / "head.npz").exists():
                with np.load(head) as loaded:
                    write_head(draft / WEIGHTS_NAME, loaded["weight"], loaded["bias"])
            origin = (
                f"{found['info']['library']} {architecture}"
                if kind in STATES
                else ("ONNX" if kind == ".onnx" else "OpenVINO IR")
            )
            card = ModelCard(
                name=folder.name,
                title=order.title,
                description="",
                architecture=f"imported: {origin}",
                network=GRAPH.name,
                graph=GraphFacts(origin=origin, **{key: found[key] for key in ("features", "maps", "transformer")}),
                classes=classes,
                data="not stated",
                recipe={},
                preprocessing=preprocessing,
                quantization={},
                versions={"openvino": version("openvino")},
                checksums={path.name: file_checksum(path) for path in sorted(draft.iterdir())},
            )
            write_card(card, draft)
    return Model(folder, settings.cache_dir)


def _place_own(made: Path, title: str, folder: Path, settings: Settings) -> Model:
    """A folder of ours, looked at by the worker, under another name; its files and answers are what they were."""
    card = read_card(made)
    with replacing(folder) as draft:
        for name in card.checksums:
            shutil.move(made / name, draft / name)
        write_card(card.model_copy(update={"name": folder.name, "title": title or card.title}), draft)
    return Model(folder, settings.cache_dir)


def _read(
    order: ImportOrder,
    kind: str,
    architecture: str,
    known: Preprocessing | None,
    made: Path,
    settings: Settings,
    start: StartWorker,
) -> dict[str, Any]:
    """What the worker has found; it has written the graph into ``made``."""
    side = known.crop if known else 0
    call, source = "read_graph", order.source.absolute()
    more: dict[str, object] = {"limit": settings.max_weights_bytes}
    if order.numbers is not None:
        more["numbers"] = order.numbers.absolute()
    if kind in STATES:
        if not architecture:
            raise InvalidRequest("A state dict does not say its network: name it as torchvision does (convnext_tiny).")
        if known is None:
            raise PreprocessingUnknown(
                f"Nothing says how images become inputs of {source.name}: give its config.json, or sizes, mean and "
                "standard deviation yourself."
            )
        import_weights(source, made / "state.safetensors", "any", max_bytes=settings.max_weights_bytes)
        call, source = "read_state", made / "state.safetensors"
        more = {"architecture": architecture}
    try:
        with start(WORKER) as worker:
            worker.call(call, lambda event: None, source=source, draft=made, side=side, **more)
    except WorkerEnded as error:
        raise WeightsInvalid(
            f"{order.source.name} takes more time or memory than an image classifier should, or crashes what reads it; "
            "it was not kept."
        ) from error
    found: dict[str, Any] = json.loads((made / "found.json").read_text())
    found["info"] = {"own": "", "model_info": {}} | found.get("info", {})
    return found


def _first(said: Sequence[dict[str, Any]], paths: Sequence[Path]) -> Preprocessing | None:
    """Of the first file that says one; what a file that should says is wrong is told."""
    unknown: PreprocessingUnknown | None = None
    for settings, path in zip(said, paths, strict=True):
        try:
            return preprocessing_of(settings, path.name)
        except PreprocessingUnknown as error:
            unknown = unknown or error
    if unknown is not None:
        raise unknown
    return None


def _classes(order: ImportOrder, found: dict[str, Any], said: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    count = found["classes"]
    if order.labels:
        return read_labels(order.labels, count)
    named = next((names for settings in said if (names := labels_of(settings))), None)
    named = named or found["info"]["model_info"].get("labels", "").split()
    if not named:
        raise LabelsInvalid(f"Nothing names the model's {count:,} classes; give a file of labels, one a line.")
    if len(named) != count:
        raise LabelsInvalid(f"The number of labels is {len(named):,} for {count:,} classes; give a file of labels.")
    return read_labels(json.dumps([clean_label(name, "A label") for name in named]).encode(), count)
