"""What a benchmark measures: engines, modes, counts, repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict

from core.base.errors import InvalidRequest
from core.base.settings import Settings
from core.engines.engine import EngineName
from core.engines.registry import engine_names, engines

BaselineName = Literal["baseline-pytorch", "baseline-openvino"]


def _known(name: str) -> str:
    if name not in SUBJECT_LABELS:
        raise ValueError(f"{name!r} is no engine here")
    return name


SubjectName = Annotated[EngineName, AfterValidator(_known)]  # or a BaselineName
BASELINE_NAMES: tuple[BaselineName, ...] = get_args(BaselineName)
_BASELINE_LABELS: dict[BaselineName, str] = {
    "baseline-pytorch": "Baseline PyTorch",
    "baseline-openvino": "Baseline OpenVINO",
}
SUBJECT_LABELS: dict[SubjectName, str] = {engine.name: engine.label for engine in engines()} | _BASELINE_LABELS
SUBJECT_NAMES: tuple[SubjectName, ...] = tuple(SUBJECT_LABELS)

Mode = Literal["inference-only", "end-to-end", "ingested"]
MODES: tuple[Mode, ...] = get_args(Mode)
MODE_LABELS: dict[Mode, str] = {
    "inference-only": "Inference only",
    "end-to-end": "End to end",
    "ingested": "Already ingested",
}

DEFAULT_COUNTS = (50, 100, 200, 400, 600)
DEFAULT_MODES: tuple[Mode, ...] = ("inference-only", "end-to-end")
MAX_REPEATS = 20


@dataclass(frozen=True, slots=True)
class Effort:
    """How much goes into what a plan leaves open; with less, figures are rougher and come sooner.

    Attributes:
        inference_seconds: for the cost of inference, in each round and for each engine.
        latency_images: asked for one by one in each pass; with three repeats 34 are just enough for a p99.
        sweep_seconds: for each turn of the sweep.
        ready_inputs: kept in memory (600 are 90 MB); more images repeat them.
    """

    inference_seconds: float = 0.5
    latency_images: int = 34
    sweep_seconds: float = 0.3
    ready_inputs: int = 600


class BenchmarkPlan(BaseModel):
    """What to measure.

    Attributes:
        engines: the product's engines, and the baselines, which know the end-to-end mode only.
        modes: ``inference-only`` (inputs ready in memory), ``end-to-end`` (a file's bytes to class), ``ingested``
            (the product's recognition of images that were decoded before).
        counts: numbers of images; a smaller stack is repeated.
        batch_size: images per inference call; 0 takes each engine's own measured one. Baselines always use theirs.
        repeats: passes that count; one shorter pass before them warms up and does not.
        sweep: whether to measure batch sizes x streams as well.
    """

    model_config = ConfigDict(frozen=True)

    engines: tuple[SubjectName, ...] = engine_names()
    modes: tuple[Mode, ...] = DEFAULT_MODES
    counts: tuple[int, ...] = DEFAULT_COUNTS
    batch_size: int = 0
    repeats: int = 3
    sweep: bool = False

    def check(self, settings: Settings) -> None:
        """Refuse what cannot be measured.

        Raises:
            InvalidRequest: nothing is chosen, something is chosen twice, or a number is out of range.
        """
        for what, chosen in (("engine", self.engines), ("mode", self.modes), ("number of images", self.counts)):
            if not chosen:
                raise InvalidRequest(f"Choose at least one {what}.")
            if len(set(chosen)) < len(chosen):
                raise InvalidRequest(f"Choose every {what} once only.")
        if not all(1 <= count <= settings.max_entries for count in self.counts):
            raise InvalidRequest(f"The number of images must be between 1 and {settings.max_entries:,}.")
        if not 0 <= self.batch_size <= settings.max_batch_size:
            raise InvalidRequest(f"The batch size must be between 1 and {settings.max_batch_size}, or automatic.")
        if not 1 <= self.repeats <= MAX_REPEATS:
            raise InvalidRequest(f"The number of repeats must be between 1 and {MAX_REPEATS}.")
        if not self.pairs:
            raise InvalidRequest("Baselines are measured end to end; choose that mode, or an engine as well.")

    @property
    def pairs(self) -> tuple[tuple[SubjectName, Mode], ...]:
        """Every engine in every mode it knows."""
        return tuple(
            (engine, mode)
            for mode in self.modes
            for engine in self.engines
            if mode == "end-to-end" or engine not in BASELINE_NAMES
        )
