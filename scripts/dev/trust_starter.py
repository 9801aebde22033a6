"""Measure how far the starter's answers can be trusted, and write it into its card; its weights stay as they are.

    python -m scripts.trust_starter --data FOLDER

FOLDER holds ``val/CLASS/*.jpg``: 500 of those photos fit, evenly over the classes, and the others judge.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.base.settings import PROJECT_ROOT
from core.engines.engine import EngineName
from core.engines.openvino import FP32, INT8
from core.models.card import Temperature, write_card
from core.models.model import Model
from core.optimize.reference_logits import engine_logits
from core.trust.temperature import fitted, fp32_engines
from scripts.dev._photos import Photos, load_photos, model_inputs

FITTING = 500


def add_trust(folder: Path, val: Photos, fitting: int = FITTING) -> None:
    """Fit on ``fitting`` of the photos, and complete the card of the model in ``folder``."""
    inputs = model_inputs(val.images)
    fit = np.linspace(0, len(inputs) - 1, min(fitting, len(inputs) // 2)).astype(int)
    others = np.setdiff1d(np.arange(len(inputs)), fit)
    source = "val/ photos, evenly over the classes; the others of val/ judged"
    confidence: dict[EngineName, Temperature] = {}
    with tempfile.TemporaryDirectory() as cache:
        model = Model(folder, Path(cache))
        for engine, names in ((INT8, (INT8.name,)), (FP32, fp32_engines())):
            logits = engine_logits(model.engine(engine.name), inputs)
            found = fitted(logits[fit], val.labels[fit], source, (logits[others], val.labels[others]))
            confidence |= dict.fromkeys(names, found)
            print(
                f"{engine.label}: temperature {found.value:.3f}, calibration error {found.error_before:.3f} -> "
                f"{found.error_after:.3f} on {found.judged:,} photos that did not fit it"
            )
    write_card(model.card.model_copy(update={"confidence": confidence}), folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with val/CLASS/*")
    parser.add_argument("--model", type=Path, default=PROJECT_ROOT / "models" / "starter", help="default: %(default)s")
    options = parser.parse_args(arguments)
    add_trust(options.model, load_photos(options.data / "val"))


if __name__ == "__main__":
    main()
