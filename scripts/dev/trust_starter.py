"""Measure how far the starter's answers can be trusted, and write it beside its weights, which stay as they are.

    python -m scripts.trust_starter --data FOLDER

FOLDER holds ``train/CLASS/*.jpg`` and ``val/CLASS/*.jpg``: 500 photos of ``val/`` fit temperatures and measure how like
photos of ``train/`` known ones are, evenly over the classes; the others judge.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.base.settings import PROJECT_ROOT, get_settings
from core.engines.engine import EngineName
from core.engines.openvino import FP32, INT8
from core.models.card import KNOWN_NAME, KnownImages, Temperature, file_checksum, write_card
from core.models.model import Model
from core.models.self_description import describe_model
from core.recognition.known import write_known
from core.recognition.results import THRESHOLD
from core.trust.known import of_classes
from core.trust.temperature import fitted, fp32_engines
from scripts.dev._photos import find_photos, look

FITTING = 500
REFERENCES = 4_000
_SOURCE = "val/ photos, evenly over the classes; the others of val/ judged"


def add_trust(folder: Path, data: Sequence[Path]) -> None:
    """Complete the model in ``folder`` by what photos of the folders ``data`` tell."""
    train, val = (
        find_photos([part / "train" for part in data]).some(REFERENCES),
        find_photos([part / "val" for part in data]),
    )
    count = len(val.paths)
    fit = np.linspace(0, count - 1, min(FITTING, count // 2)).astype(int)
    others = np.setdiff1d(np.arange(count), fit)
    confidence: dict[EngineName, Temperature] = {}
    model = Model(folder, get_settings().cache_dir)
    int8, fp32 = (look(model.engine(engine.name), val.paths) for engine in (INT8, FP32))
    learnt = look(model.engine(INT8.name), train.paths)
    for engine, names, seen in ((INT8, (INT8.name,), int8), (FP32, fp32_engines(), fp32)):
        judges = seen.logits[others], val.labels[others]
        found = fitted(seen.logits[fit], val.labels[fit], _SOURCE, judges)
        confidence |= dict.fromkeys(names, found)
        print(
            f"{engine.label}: temperature {found.value:.3f}, calibration error {found.error_before:.3f} -> "
            f"{found.error_after:.3f} on {found.judged:,} photos that did not fit it"
        )
    known = of_classes(learnt.features, train.labels, int8.features[fit])
    for engine, seen in ((INT8, int8), (FP32, fp32)):
        kept = (known.scores(seen.features[others]) >= THRESHOLD).mean()
        print(f"{engine.label}: {kept:.1%} of {len(others):,} other known photos are called known")
    (folder / KNOWN_NAME).unlink(missing_ok=True)
    write_known(known, folder / KNOWN_NAME)
    facts = KnownImages(
        images=len(train.paths), measured=len(fit), source="train/ photos, and val/ photos, evenly over the classes"
    )
    checksums = model.card.checksums | {KNOWN_NAME: file_checksum(folder / KNOWN_NAME)}
    update = {"confidence": confidence, "known": facts, "checksums": dict(sorted(checksums.items()))}
    write_card(describe_model(model.card.model_copy(update=update), folder), folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders with train/CLASS/* and val/CLASS/*"
    )
    parser.add_argument("--model", type=Path, default=PROJECT_ROOT / "models" / "starter", help="default: %(default)s")
    options = parser.parse_args(arguments)
    add_trust(options.model, options.data)


if __name__ == "__main__":
    main()
