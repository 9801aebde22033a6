"""One installed model: its card, its files, and its engines, each loaded when it is first asked for."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from core.base.errors import ModelError
from core.engines.engine import Engine, EngineDescription, EngineName, Stage
from core.engines.openvino import FP32 as OPENVINO_FP32
from core.engines.registry import describe, reference_engine
from core.images.preprocessing import Preprocessing
from core.models.architectures import Architecture, load_network
from core.models.cache import Versions, cache_folder, installed_version, maker
from core.models.card import check_file, read_card, replace_card
from core.models.exported import CODE, PACKAGES, are_made, make_forms
from core.models.graph_files import GRAPH_XML
from core.models.labels import clean_label


class Model:
    """A model's folder; it is what engines are loaded from (``core.engines.engine.ModelFiles``)."""

    def __init__(self, folder: Path, cache_dir: Path, versions: Versions = installed_version) -> None:
        """``versions`` tells the version of a Python package: what is kept in ``cache_dir`` is named after them.

        Raises:
            ModelError: the card is missing or damaged.
        """
        self.folder = folder
        self.card = read_card(folder)
        self.cache_dir = cache_dir
        self._versions = versions
        self._engines: dict[EngineName, Engine] = {}
        self._locks: dict[EngineName, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def title(self) -> str:
        """For people."""
        return self.card.title

    @property
    def architecture(self) -> Architecture:
        """Which network it is."""
        return self.card.kind

    @property
    def preprocessing(self) -> Preprocessing:
        """How its inputs are made."""
        return self.card.preprocessing

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Of its network, in order."""
        return self.card.stages

    @property
    def features(self) -> int:
        """Width of an engine's features; 0 where it has none."""
        return self.card.features

    @property
    def has_network(self) -> bool:
        """Whether PyTorch can run it."""
        return self.architecture.build is not None

    @property
    def checksum(self) -> str:
        """See ``ModelCard.checksum``."""
        return self.card.checksum

    @cached_property
    def answers_key(self) -> str:
        """What no two models share that may answer differently: of weights, classes, and all else of the card.

        Names do not tell models apart: a person's own may have any, and a taught one may be replaced. The title decides
        nothing: a model that is called otherwise gives the answers it gave.
        """
        return hashlib.sha256(self.card.model_dump_json(exclude={"title"}).encode()).hexdigest()

    def rename(self, title: str) -> None:
        """Change the title, for everybody who has this model.

        Raises:
            LabelsInvalid: it is empty, too long, or not to be shown.
            OSError: the card cannot be written; it is as it was.
        """
        card = self.card.model_copy(update={"title": clean_label(title, "The name")})
        replace_card(card, self.folder)
        self.card = card

    @property
    def has_int8(self) -> bool:
        """Whether an INT8 model was made from the weights."""
        return self.architecture.int8_name in self.card.checksums

    @property
    def has_fp32(self) -> bool:
        """Whether the ONNX and FP32 forms were made before."""
        return are_made(self.architecture, self.forms_folder)

    @property
    def weights(self) -> Path:
        """The file of weights, or of a graph's numbers."""
        return self.folder / self.card.sources[0]

    @property
    def converted(self) -> Path:
        """What INT8 is made of: the ONNX form, or the graph that was imported; normalised float32 in, logits out."""
        if self.card.graph is not None:
            return self.folder / GRAPH_XML
        return self.forms_folder / self.architecture.onnx_name

    def checked_weights(self) -> Path:
        """The file of weights, or of a graph's numbers, which is what the card says, as are those beside it.

        Raises:
            ModelError: it is missing or damaged.
        """
        for name in self.card.sources[1:]:
            check_file(self.folder / name, self.card)
        return check_file(self.weights, self.card)

    @property
    def int8_path(self) -> Path:
        """Where the INT8 IR is, if the model has one; its weights are beside it, ending in ``.bin``."""
        return self.folder / self.architecture.int8_name

    @property
    def forms_folder(self) -> Path:
        """Where the ONNX and FP32 forms of these weights are cached; models with the same weights share them."""
        source = f"{self.card.checksums[self.card.sources[0]][:12]}-{self.preprocessing.key}"
        return cache_folder(self.cache_dir, "weights", source, maker(PACKAGES, CODE, self._versions))

    def network(self) -> Any:
        """See ``ModelFiles``."""
        return load_network(self.architecture, self.checked_weights())[0]

    def int8_ir(self) -> Path:
        """See ``ModelFiles``."""
        check_file(self.int8_path.with_suffix(".bin"), self.card)
        return check_file(self.int8_path, self.card)

    def fp32_ir(self) -> Path:
        """See ``ModelFiles``; it is not part of the model, because keeping it would double the model's size."""
        folder = self.forms_folder
        make_forms(self.architecture, self.checked_weights(), self.preprocessing, folder)
        return folder / self.architecture.fp32_name

    def cache_folder(self, kind: str, packages: Sequence[str]) -> Path:
        """See ``ModelFiles``. What is derived from the FP32 form depends on all that the form depends on."""
        made_by = maker({*packages, *PACKAGES}, CODE, self._versions)
        return cache_folder(self.cache_dir, kind, self.checksum, made_by)

    def missing(self, engine: EngineName) -> str:
        """Why the model cannot be run by an engine, as a sentence; empty where it can."""
        return describe(engine).missing(self)

    @property
    def reference(self) -> EngineDescription:
        """What its answers are compared with: PyTorch, or OpenVINO in FP32 where that alone runs an imported graph."""
        reference = reference_engine()
        return OPENVINO_FP32 if self.missing(reference.name) else reference

    def engine(self, name: EngineName) -> Engine:
        """The loaded engine; the first call loads it (OpenVINO from its compiled cache, PyTorch in seconds).

        Raises:
            ModelError: the files are missing, damaged or do not fit the card.
            EngineUnavailable: the library is not installed.
        """
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:  # two engines may load side by side, one engine only once
            if name not in self._engines:
                engine = self._load(name)
                if engine.classes != len(self.card.classes):
                    expected = len(self.card.classes)
                    raise ModelError(
                        f"{self.card.name} has {engine.classes} outputs for {expected} classes; reinstall it."
                    )
                self._engines[name] = engine
            return self._engines[name]

    def is_loaded(self, name: EngineName) -> bool:
        """Whether ``engine(name)`` would answer at once."""
        return name in self._engines

    def is_heavy(self, name: EngineName) -> bool:
        """Whether loading this engine is work for a heavy turn of the queue."""
        return describe(name).is_heavy(self)

    def _load(self, name: EngineName) -> Engine:
        return describe(name).load(self)
