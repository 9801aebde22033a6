"""Turn trained weights into the starter model's folder: fp16 weights, INT8 IR, and a card with measured figures."""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from core.engines.engine import EngineName
from core.engines.openvino import INT8
from core.engines.registry import reference_engine
from core.images.preprocessing import STANDARD
from core.models.architectures import RESNET18
from core.models.card import WEIGHTS_NAME, EngineScore, ModelCard, file_checksum, write_card
from core.models.exported import make_forms
from core.models.model import Model
from core.models.openvino_ir import convert, save_ir
from core.optimize.calibration import DEFAULT_CALIBRATION_IMAGES
from core.optimize.quantize import RECIPES, quantize
from core.optimize.reference_logits import engine_logits
from core.optimize.run import VERSIONED
from core.trust.agreement import accuracy, agreement
from scripts.dev._photos import load_photos, model_inputs
from scripts.dev.trust_starter import add_trust

DATA = (
    "Ten classes are Imagenette, a public subset of ImageNet, at 224x224; cat and dog come from a public "
    "cats-and-dogs set at 180x180. About 950 training photos a class; scores are on the separate val/ photos."
)
RECIPE = "full-bias"  # closer to FP32 than the default, and nobody waits for it here


def build_starter(checkpoint: Path, data: Path, folder: Path, recipe: dict[str, str]) -> None:
    """Export, quantize and evaluate; ``folder`` is replaced once everything has succeeded.

    Args:
        checkpoint: file of ``scripts.dev.train_starter`` with the averaged weights.
        data: folder with ``train/`` (at most 300 photos of it calibrate) and ``val/`` (all of it is scored).
        recipe: how the weights were trained, for the card.
    """
    import torch
    from safetensors.torch import save_file

    train, val = load_photos(data / "train"), load_photos(data / "val")
    chosen = np.linspace(0, len(train.images) - 1, DEFAULT_CALIBRATION_IMAGES).astype(int)  # evenly over all classes
    calibration = model_inputs([train.images[index] for index in chosen])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        draft = Path(name) / folder.name
        draft.mkdir()
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["average"]
        halved = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
        save_file({key: value.contiguous() for key, value in halved.items()}, draft / WEIGHTS_NAME)
        forms = Path(name) / "forms"
        make_forms(RESNET18, draft / WEIGHTS_NAME, STANDARD, forms)
        int8 = quantize(convert(forms / RESNET18.onnx_name), calibration, RECIPES[RECIPE], STANDARD)
        save_ir(int8, draft / RESNET18.int8_name, STANDARD, RESNET18.stages)
        card = ModelCard(
            name=folder.name,
            title="Starter: 12 everyday classes",
            description="A small model that ships with the app, so that it recognises things without a download.",
            architecture="torchvision ResNet18, trained from scratch",
            classes=train.classes,
            data=DATA,
            recipe=recipe,
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
