"""The models that are installed: what each knows, where its files are, and its loaded engines."""

from __future__ import annotations

import hashlib
import threading
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.engines.engine import Engine
from core.base.errors import EngineUnavailable, ModelError, ModelNotFound
from core.recognition.results import EngineName
from core.base.settings import Settings

CARD_NAME = "card.json"


class EngineScore(BaseModel):
    """Accuracy of one engine on the card's validation set, and its agreement with PyTorch FP32 there; shares 0..1."""

    model_config = ConfigDict(frozen=True)

    top1: float
    top5: float
    agreement: float = Field(description="share of images with the same first class as PyTorch FP32")
    agreement_low: float = Field(description="lower end of its Wilson 95% interval")
    agreement_high: float = Field(description="upper end of its Wilson 95% interval")
    mean_kl: float = Field(description="mean KL divergence from PyTorch FP32, nats")
    images: int


class ModelCard(BaseModel):
    """What is known of a model; the contents of its ``card.json``."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    description: str
    architecture: str
    classes: tuple[str, ...]
    data: str
    recipe: dict[str, str]
    preprocessing: str
    quantization: dict[str, str]
    scores: dict[EngineName, EngineScore] = {}
    versions: dict[str, str]
    checksums: dict[str, str] = Field(description="SHA-256 of each file beside the card")


class Model:
    """An installed model: its card, its files, and its engines, each loaded when it is first asked for."""

    weights_name = "weights.safetensors"
    int8_name = "resnet18-int8.xml"

    def __init__(self, folder: Path, cache_dir: Path) -> None:
        self.folder = folder
        self.cache_dir = cache_dir
        try:
            self.card = ModelCard.model_validate_json((folder / CARD_NAME).read_bytes())
        except (OSError, ValidationError) as error:
            raise ModelError(f"The model in {folder.name} has no valid {CARD_NAME}; reinstall it.") from error
        self._engines: dict[EngineName, Engine] = {}
        self._locks: dict[EngineName, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def checksum(self) -> str:
        """Short checksum of all its files; part of every cache key, so that a new model never meets an old cache."""
        return hashlib.sha256("".join(sorted(self.card.checksums.values())).encode()).hexdigest()[:12]

    @property
    def has_int8(self) -> bool:
        """Whether an INT8 model was made from the weights."""
        return self.int8_name in self.card.checksums

    @property
    def weights(self) -> Path:
        """The file of weights."""
        return self.folder / self.weights_name

    @property
    def base_folder(self) -> Path:
        """Where the ONNX and FP32 forms of these weights are cached; models with the same weights share them."""
        return self.cache_dir / f"weights-{self.card.checksums[self.weights_name][:12]}"

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

    def _load(self, name: EngineName) -> Engine:
        if name == "pytorch-fp32":
            from core.engines.pytorch import PyTorchEngine

            self._check_file(self.weights_name)
            return PyTorchEngine(self.weights)
        from core.engines.openvino import OpenVinoEngine

        if name == "openvino-int8" and not self.has_int8:
            raise EngineUnavailable(
                f"{self.card.title} has no INT8 copy yet: calibrate it on the Optimize page, or choose an FP32 engine."
            )
        if name == "openvino-int8":
            ir_path = self.folder / self.int8_name
            for file in (ir_path, ir_path.with_suffix(".bin")):
                self._check_file(file.name)
        else:
            ir_path = self._fp32_ir()
        return OpenVinoEngine(name, ir_path, self.cache_dir / f"compiled-{self.checksum}")

    def _check_file(self, name: str) -> None:
        path, expected = self.folder / name, self.card.checksums.get(name)
        try:
            found = path.stat()
            known = _checksum_of_version(path, found.st_size, found.st_mtime_ns)
        except OSError as error:
            raise ModelError(
                f"{name} of the model {self.card.name} cannot be read; install the model again."
            ) from error
        if known != expected:
            raise ModelError(
                f"{name} of the model {self.card.name} is not the file its card describes: it was damaged or "
                "replaced. Install the model again."
            )

    def _fp32_ir(self) -> Path:
        """The FP32 IR, converted from the weights the first time: keeping it would double the model's size."""
        from core.models.exported import FP32_NAME, make_base

        self._check_file(self.weights_name)
        make_base(self.weights, self.base_folder)
        return self.base_folder / FP32_NAME


class ModelRegistry:
    """The models that ship with the app and those installed beside it, by name; the shipped one wins a name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._models: dict[str, Model] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the installed models, the default one first."""
        return tuple(sorted(self._folders(), key=lambda name: (name != self._settings.model, name)))

    def get(self, name: str | None = None) -> Model:
        """A model by name, or the default one.

        Raises:
            ModelNotFound: no such model.
            ModelError: its card is missing or damaged.
        """
        name = name or self._settings.model
        with self._lock:
            if name not in self._models:
                folders = self._folders()
                if name not in folders:
                    raise ModelNotFound(f"There is no model {name!r} here. Installed: {', '.join(folders) or 'none'}.")
                self._models[name] = Model(folders[name], self._settings.cache_dir)
            return self._models[name]

    def _folders(self) -> dict[str, Path]:
        roots = (self._settings.installed_dir, self._settings.models_dir)
        return {card.parent.name: card.parent for root in roots for card in sorted(root.glob(f"*/{CARD_NAME}"))}


@lru_cache(maxsize=256)
def _checksum_of_version(path: Path, size: int, mtime_ns: int) -> str:
    """``file_checksum``, computed once for each version of a file, which its size and time tell apart."""
    return file_checksum(path)


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
