"""A model's card: what is known of it, and the checksums of the files beside it."""

from __future__ import annotations

import hashlib
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.base.errors import ModelError
from core.engines.engine import EngineName, Stage
from core.images.preprocessing import Preprocessing
from core.models.architectures import ARCHITECTURES, GRAPH, RESNET18, Architecture
from core.models.graph_files import GRAPH_BIN, GRAPH_XML

CARD_NAME = "card.json"
WEIGHTS_NAME = "weights.safetensors"
KNOWN_NAME = "known.safetensors"
TEMPERATURES = (0.02, 50.0)  # outside of these, all confidences would be 1, or all the same


class EngineScore(BaseModel):
    """Accuracy of one engine on the card's validation set, and its agreement with the reference engine; shares 0..1."""

    model_config = ConfigDict(frozen=True)

    top1: float
    top5: float
    agreement: float = Field(description="share of images with the same first class as PyTorch FP32")
    agreement_low: float = Field(description="lower end of its Wilson 95% interval")
    agreement_high: float = Field(description="upper end of its Wilson 95% interval")
    mean_kl: float = Field(description="mean KL divergence from PyTorch FP32, nats")
    images: int


class Temperature(BaseModel):
    """What an engine's logits are divided by, so that answers are right as often as their confidences say."""

    model_config = ConfigDict(frozen=True)

    value: float = Field(ge=TEMPERATURES[0], le=TEMPERATURES[1], allow_inf_nan=False)
    images: int = Field(ge=1, description="that it was fitted on")
    source: str = Field(description="where those images are from, and who named their classes")
    judged: int = Field(ge=0, description="images that judged it; 0 where their classes are not known")
    error_before: float = Field(
        0, ge=0, le=1, allow_inf_nan=False, description="expected calibration error of those without it, 15 bins"
    )
    error_after: float = Field(
        0, ge=0, le=1, allow_inf_nan=False, description="and with a temperature that others were fitted on"
    )


class KnownImages(BaseModel):
    """What the file beside the card, by which unlike images are told, was made of."""

    model_config = ConfigDict(frozen=True)

    images: int = Field(ge=1, description="whose features it holds, or the means of them")
    measured: int = Field(ge=1, description="known images on which it was measured how like them known ones are")
    source: str = Field(description="where those are from")
    kept: float = Field(
        0.95, ge=0, le=1, allow_inf_nan=False, description="share of known images that are called known"
    )


class Teaching(BaseModel):
    """Where a taught model comes from; shares 0..1."""

    model_config = ConfigDict(frozen=True)

    backbone: str = Field(description="name of the model whose features the head looks at")
    backbone_checksum: str
    examples: dict[str, int] = Field(description="labelled images of each class")
    labels_checksum: str = Field(description="SHA-256 of the labels as a CSV: file name and class, sorted")
    accuracy: float = Field(description="cross-validated")
    accuracy_low: float = Field(description="lower end of its Wilson 95% interval")
    accuracy_high: float = Field(description="upper end of its Wilson 95% interval")
    longer: str = Field("", description="what training longer did, in words; empty where nobody asked for it")


class GraphFacts(BaseModel):
    """What a graph that others made gives besides logits."""

    model_config = ConfigDict(frozen=True)

    origin: str = Field(description="what it was imported from")
    features: int = Field(ge=0, description="width of what its last linear layer takes; 0 where there is none")
    maps: int = Field(ge=0, description="channels of the maps those are the means of; 0 where there are none")
    transformer: bool = Field(False, description="whether it has attention, which INT8 treats in another way")


class ModelCard(BaseModel):
    """What is known of a model; the contents of its ``card.json``."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    description: str
    architecture: str = Field(description="for people")
    network: str = Field(RESNET18.name, description="which of core.models.architectures it is")
    graph: GraphFacts | None = Field(None, description="of an imported graph; None of the networks known here")
    classes: tuple[str, ...]
    data: str
    recipe: dict[str, str]
    preprocessing: Preprocessing
    quantization: dict[str, str]
    scores: dict[EngineName, EngineScore] = {}
    confidence: dict[EngineName, Temperature] = Field({}, description="of each engine; without one: not calibrated")
    known: KnownImages | None = Field(None, description=f"of {KNOWN_NAME}; None where unlike images cannot be told")
    teaching: Teaching | None = Field(None, description="of a model that was taught; None of others")
    versions: dict[str, str]
    checksums: dict[str, str] = Field(description="SHA-256 of each file beside the card")

    @field_validator("network")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ARCHITECTURES:
            raise ValueError(f"{name!r} is not one of {', '.join(ARCHITECTURES)}")
        return name

    @model_validator(mode="after")
    def _has_its_files(self) -> Self:
        for name in self.sources:
            if name not in self.checksums:
                raise ValueError(f"checksums: {name} is missing")
        if (self.network == GRAPH.name) != (self.graph is not None):
            raise ValueError("graph: does not fit the network")
        if self.known is not None and KNOWN_NAME not in self.checksums:
            raise ValueError(f"checksums: {KNOWN_NAME} is missing")
        return self

    @property
    def kind(self) -> Architecture:
        """The description of its network."""
        return ARCHITECTURES[self.network]

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the files that everything else is made of."""
        return (GRAPH_BIN, GRAPH_XML) if self.network == GRAPH.name else (WEIGHTS_NAME,)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Whose outputs engines give on request, first to last."""
        if self.graph is None:
            return self.kind.stages
        return (Stage("", self.graph.maps),) if self.graph.maps else ()

    @property
    def features(self) -> int:
        """Width of an engine's features."""
        return self.kind.features if self.graph is None else self.graph.features

    @property
    def checksum(self) -> str:
        """Short checksum of all files; part of every cache key, so that a new model never meets an old cache."""
        return hashlib.sha256("".join(sorted(self.checksums.values())).encode()).hexdigest()[:12]


def read_card(folder: Path) -> ModelCard:
    """The card in a model's folder.

    Raises:
        ModelError: it is missing or damaged; the message says where.
    """
    try:
        return ModelCard.model_validate_json((folder / CARD_NAME).read_bytes())
    except OSError as error:
        raise ModelError(f"{CARD_NAME} of the model in {folder.name} cannot be read; reinstall it.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {first['msg']}" if place else first["msg"]
        raise ModelError(f"The model in {folder.name} has no valid {CARD_NAME}; reinstall it. ({reason})") from error


def write_card(card: ModelCard, folder: Path) -> None:
    """Write ``card`` into a model's folder."""
    (folder / CARD_NAME).write_text(card.model_dump_json(indent=2) + "\n")


def replace_card(card: ModelCard, folder: Path) -> None:
    """Put ``card`` in the place of the one in a model's folder, in one step."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        write_card(card, Path(scratch))
        (Path(scratch) / CARD_NAME).replace(folder / CARD_NAME)


def check_file(path: Path, card: ModelCard) -> Path:
    """``path``, a file beside ``card``, if it is what the card says; hashed once for each version of the file.

    Raises:
        ModelError: it cannot be read, or was damaged or replaced.
    """
    try:
        found = path.stat()
        known = _checksum_of_version(path, found.st_size, found.st_mtime_ns)
    except OSError as error:
        raise ModelError(f"{path.name} of the model {card.name} cannot be read; install the model again.") from error
    if known != card.checksums.get(path.name):
        raise ModelError(
            f"{path.name} of the model {card.name} is not the file its card describes: it was damaged or "
            "replaced. Install the model again."
        )
    return path


@lru_cache(maxsize=256)
def _checksum_of_version(path: Path, size: int, mtime_ns: int) -> str:
    """``file_checksum``, computed once for each version of a file, which its size and time tell apart."""
    return file_checksum(path)


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
