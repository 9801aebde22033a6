"""Measure a model on labelled photos and compare with what its card says.

    python -m scripts.evaluate_model starter --data FOLDER

FOLDER holds ``val/CLASS/*.jpg``; there may be several. Exit code 0 when every engine reproduces the card, 1 when one
does not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from core.base.errors import AppError
from core.base.settings import get_settings
from core.engines.engine import EngineName
from core.engines.registry import engine_label, engine_names, reference_engine
from core.models.registry import ModelRegistry
from core.optimize.reference_logits import engine_logits
from core.trust.agreement import accuracy, agreement
from scripts.dev._photos import load_photos, model_inputs

# CPUs with other instruction sets round INT8 sums differently, which may flip an image or two of thousands.
TOLERANCE = 0.002


def evaluate(name: str, data: Sequence[Path], engines: list[EngineName]) -> bool:
    """Print a table of measured and published figures; whether they agree."""
    model = ModelRegistry(get_settings()).get(name)
    photos = load_photos(*(folder / "val" for folder in data))
    if photos.classes != model.card.classes:
        raise SystemExit(f"The folders in val are not the classes of {name}: {', '.join(model.card.classes)}.")
    inputs = model_inputs(photos.images)
    against = reference_engine().name
    reference = engine_logits(model.engine(against), inputs)
    reproduced = True
    print(
        f"{name}, {len(inputs)} photos\n\n| engine | top-1 | top-5 | agreement (95% interval) | mean KL | card: top-1 |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for engine in engines:
        answers = reference if engine == against else engine_logits(model.engine(engine), inputs)
        scored, same = accuracy(answers, photos.labels), agreement(reference, answers)
        published = model.card.scores.get(engine)
        reproduced &= published is None or abs(published.top1 - scored.top1) <= TOLERANCE
        print(
            f"| {engine_label(engine)} | {scored.top1:.2%} | {scored.top5:.2%} "
            f"| {same.top1:.2%} ({same.low:.2%} to {same.high:.2%}) | {same.mean_kl:.5f} "
            f"| {f'{published.top1:.2%}' if published else 'not published'} |"
        )
    return reproduced


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="starter")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders with val/CLASS/*")
    parser.add_argument("--engines", nargs="+", choices=engine_names(), default=list(engine_names()))
    options = parser.parse_args(arguments)
    try:
        reproduced = evaluate(options.model, options.data, options.engines)
    except AppError as error:
        print(error, file=sys.stderr)
        return 2
    if not reproduced:
        print("\nThe card's figures were not reproduced.", file=sys.stderr)
    return 0 if reproduced else 1


if __name__ == "__main__":
    sys.exit(main())
