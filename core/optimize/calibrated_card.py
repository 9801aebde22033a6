"""The card of a model that has been calibrated: its source's, and how its INT8 copy was made and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from core.engines.engine import EngineName
from core.models.card import KnownImages, ModelCard, Temperature, file_checksum
from core.optimize.gate import GateReport
from core.optimize.quantize import Recipe

_CALIBRATED = "Calibrated on "
VERSIONED = ("torch", "torchvision", "onnx", "nncf", "openvino")


def calibrated_card(
    source: ModelCard,
    folder: Path,
    *,
    name: str,
    stack: str,
    images: int,
    recipe: Recipe,
    float_layers: Sequence[str],
    report: GateReport,
    confidence: Mapping[EngineName, Temperature],
    known: KnownImages | None,
) -> ModelCard:
    """A card for the files in ``folder``, of which it has the checksums.

    Args:
        source: of the model that was calibrated.
        folder: holds all files of the model but the card.
        name: of the new model.
        stack: what the stack is called that ``images`` images calibrated.
        recipe, float_layers: how INT8 was made, and what stayed in FP32.
        report: how far it is from FP32.
        confidence, known: as the card has them.
    """
    same = report.agreement
    return source.model_copy(
        update={
            "name": name,
            "title": f"{_CALIBRATED}{stack} · {_original_title(source.title)}",
            "quantization": {
                "method": "NNCF post-training quantization, INT8",
                "recipe": recipe.title,
                "calibration": f"{images} images of one stack",
                **({"kept in FP32": "; ".join(float_layers)} if float_layers else {}),
                "agreement with FP32": f"{same.top1:.2%} of {same.images} others "
                f"(95% interval {same.low:.2%} to {same.high:.2%})",
            },
            "confidence": dict(confidence),
            "known": known,
            "scores": {},  # measured on the source's own data, with the source's INT8 model
            "versions": {package: version(package) for package in VERSIONED},
            "checksums": {path.name: file_checksum(path) for path in sorted(folder.iterdir())},
        }
    )


def _original_title(title: str) -> str:
    return title.rpartition(" · ")[2] if title.startswith(_CALIBRATED) else title
