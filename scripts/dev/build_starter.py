"""Turn trained weights into the starter model's folder: fp16 weights, INT8 IR, and a card with measured figures.

    python -m scripts.dev.build_starter runs/starter/checkpoint.pt --data STARTER CALTECH --output models/starter

Also while the training runs: the averaged weights of its last checkpoint are taken. The output folder is replaced once
everything has succeeded.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from core.base.settings import PROJECT_ROOT
from core.engines.engine import EngineName
from core.engines.openvino import INT8
from core.engines.registry import reference_engine
from core.images.preprocessing import STANDARD
from core.models.architectures import RESNET18
from core.models.card import WEIGHTS_NAME, EngineScore, ModelCard, file_checksum, write_card
from core.models.exported import make_forms
from core.models.model import Model
from core.models.openvino_ir import convert, save_ir
from core.optimize.calibrated_card import VERSIONED
from core.optimize.calibration import DEFAULT_CALIBRATION_IMAGES
from core.optimize.quantize import RECIPES, quantize
from core.optimize.reference_logits import engine_logits
from core.trust.agreement import accuracy, agreement
from scripts.dev._photos import find_photos, load, load_photos, model_inputs
from scripts.dev.train_starter import recipe
from scripts.dev.trust_starter import add_trust

DATA = (
    "Ten classes are Imagenette, a public subset of ImageNet, at 224x224; cat and dog come from a public "
    "cats-and-dogs set at 180x180; about 950 training photos each. 101 classes are Caltech-101 (Li, Andreeto, Ranzato "
    "and Perona; CC BY 4.0), 25 to 640 training photos each. Tiny ImageNet's 200 classes at 32x32 helped to learn "
    "features. Scores are on the separate val/ photos."
)
RECIPE = "full-bias"  # closer to FP32 than the default, and nobody waits for it here


def build_starter(checkpoint: Path, data: Sequence[Path], folder: Path) -> None:
    """Export, quantize and evaluate; ``folder`` is replaced once everything has succeeded.

    Args:
        checkpoint: file of ``scripts.dev.train_starter`` with the averaged weights.
        data: folders with ``train/`` (300 photos of them calibrate) and ``val/`` (all of it is scored).
        folder: the model's.
    """
    import torch
    from safetensors.torch import save_file

    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    train, val = find_photos([part / "train" for part in data]), load_photos(*(part / "val" for part in data))
    if len(train.classes) != saved["classes"]:
        raise SystemExit(f"{checkpoint} has {saved['classes']} classes, and the folders {len(train.classes)}.")
    # Evenly over the photos, which lie class by class.
    chosen = np.linspace(0, len(train.paths) - 1, DEFAULT_CALIBRATION_IMAGES).astype(np.int64)
    calibration = model_inputs(load(train.at(chosen)).images)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        draft = Path(name) / folder.name
        draft.mkdir()
        state = without_auxiliary(saved["average"], saved["classes"])
        halved = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
        save_file({key: value.contiguous() for key, value in halved.items()}, draft / WEIGHTS_NAME)
        forms = Path(name) / "forms"
        make_forms(RESNET18, draft / WEIGHTS_NAME, STANDARD, forms)
        int8 = quantize(convert(forms / RESNET18.onnx_name), calibration, RECIPES[RECIPE], STANDARD)
        save_ir(int8, draft / RESNET18.int8_name, STANDARD, RESNET18.stages)
        card = ModelCard(
            name=folder.name,
            title=f"Starter: {len(train.classes)} everyday classes",
            description="A small model that ships with the app, so that it recognises things without a download.",
            architecture="torchvision ResNet18",
            classes=train.classes,
            data=DATA,
            recipe=recipe(saved["step"], saved["start"]),
            preprocessing=STANDARD,
            quantization={
                "method": "NNCF post-training quantization, INT8",
                "recipe": RECIPES[RECIPE].title,
                "preset": RECIPES[RECIPE].preset,
                "calibration": f"{len(calibration)} training photos, evenly over the classes",
            },
            versions={package: version(package) for package in VERSIONED},
            checksums={path.name: file_checksum(path) for path in sorted(draft.iterdir())},
        )
        write_card(card, draft)
        scores = _scores(Model(draft, Path(name) / "cache"), model_inputs(val.images), val.labels)
        write_card(card.model_copy(update={"scores": scores}), draft)
        add_trust(draft, data)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    for engine, score in scores.items():
        print(f"{engine}: top-1 {score.top1:.2%}, top-5 {score.top5:.2%}, agreement {score.agreement:.2%}")


def without_auxiliary(state: dict[str, Any], classes: int) -> dict[str, Any]:
    """The state of a network of ``classes`` classes: the head's first rows, and all before it."""
    return {name: value[:classes] if name.startswith("fc.") else value for name, value in state.items()}


def _scores(model: Model, inputs: np.ndarray, labels: np.ndarray) -> dict[EngineName, EngineScore]:
    against = reference_engine().name
    reference = engine_logits(model.engine(against), inputs)
    scores: dict[EngineName, EngineScore] = {}
    for name in (against, INT8.name):
        answers = reference if name == against else engine_logits(model.engine(name), inputs)
        scored, same = accuracy(answers, labels), agreement(reference, answers)
        scores[name] = EngineScore(
            top1=scored.top1,
            top5=scored.top5,
            agreement=same.top1,
            agreement_low=same.low,
            agreement_high=same.high,
            mean_kl=same.mean_kl,
            images=scored.images,
        )
    return scores


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="of scripts.dev.train_starter")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders with train/ and val/")
    parser.add_argument("--output", type=Path, default=PROJECT_ROOT / "models" / "starter", help="%(default)s")
    options = parser.parse_args(arguments)
    build_starter(options.checkpoint, options.data, options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
