"""Say why INT8 errs: the error of each layer on the images that INT8 and FP32 name differently; keep some in FP32.

    python -m scripts.layers STACK.zip
    python -m scripts.layers STACK.zip --keep 3 --name better

With --keep N, INT8 is calibrated anew on the stack with the N worst layers in FP32, and both are measured: how often
they name FP32's class, and how fast they are. It is installed only with --name. Exit code 0: done; 1: INT8 and FP32
name the same class everywhere, so there is nothing to explain; 2: nothing could be done; 130: interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Event

from tqdm import tqdm

from core.base.settings import Settings, get_settings
from core.engines.openvino import FP32, INT8
from core.models.install import copy_model, installed_folder
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.optimize.calibration import DEFAULT_CALIBRATION_IMAGES, split
from core.optimize.layer_errors import LayerError, worst_first
from core.optimize.layer_job import LayerErrorsJob
from core.optimize.quantize import recipe_of
from core.optimize.run import CalibrationPlan, OptimizationJob
from core.recognition.results import Prediction
from core.recognition.service import Order, RecognitionService, Watcher
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from core.trust.disagreement import flips
from scripts._running import follow, run_command
from scripts._stacks import open_stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _explain(options, get_settings()), about=options.stack)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", type=Path, metavar="STACK.zip|FOLDER", help="ZIP or folder of images")
    parser.add_argument("--model", metavar="NAME", help="name of an installed model (default: the app's)")
    parser.add_argument("--keep", type=int, default=0, metavar="N", help="calibrate anew, the N worst layers in FP32")
    parser.add_argument("--name", help="with --keep: install what was made under this name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the errors of all layers")
    return parser


def _explain(options: argparse.Namespace, settings: Settings) -> int:
    registry, store = ModelRegistry(settings), StackStore(settings)
    try:
        model = registry.get(options.model)
        stack = open_stack(store, options.stack)
        found = _differently_named(model, stack, settings)
        print(f"{len(found):,} of {len(stack):,} images are named differently by {INT8.label} and {FP32.label}.")
        if not found:
            return 1
        job = LayerErrorsJob(model, stack, found, store.folder)
        follow(job)
        errors = worst_first(job.errors)
        _print(errors, job.images)
        if options.json is not None:
            options.json.write_text(json.dumps([asdict(error) for error in errors], indent=1) + "\n", encoding="utf-8")
        if options.keep:
            worst = tuple(error.layer for error in errors[: options.keep])
            made = _kept(model, stack, worst, store, settings)
            if options.name:
                folder = installed_folder(options.name, settings)
                installed = copy_model(made, folder, title=model.card.title, settings=settings)
                print(f"Installed as {options.name}: {installed.folder}")
        return 0
    finally:
        store.close()


def _differently_named(model: Model, stack: ImageStack, settings: Settings) -> list[int]:
    """Positions of the images on which INT8 and FP32 differ, those that matter most first."""
    service = RecognitionService(settings)
    engines = (INT8.name, FP32.name)
    with tqdm(total=len(stack) * len(engines), unit="image", file=sys.stderr) as bar:

        class Bar(Watcher):
            def recognized(self, predictions: Sequence[Prediction]) -> None:
                bar.update(len(predictions))

        service.run(Order(stack, range(len(stack)), model, engines), "api", Bar(), Event())
    return [flip.index for flip in flips(service.results(stack), *engines)]


def _kept(model: Model, stack: ImageStack, layers: tuple[str, ...], store: StackStore, settings: Settings) -> Model:
    """INT8 made anew with these layers in FP32, and what that changed."""
    count = min(DEFAULT_CALIBRATION_IMAGES, len(stack) // 2)
    plan = CalibrationPlan(stack, split(len(stack), count), float_layers=layers)
    job = OptimizationJob(model, plan, recipe_of(model.card), store.folder / "models" / "kept", settings)
    follow(job)
    assert job.model is not None  # noqa: S101 - it is done
    print(f"\nIn FP32: {'; '.join(layers)}")
    for when, report in (("before", job.before), ("after", job.report)):
        if report is not None:
            same = report.agreement
            print(
                f"{when}: same class as FP32 on {same.top1:.2%} of {same.images} images that did not calibrate "
                f"(95% interval {same.low:.2%} to {same.high:.2%}), mean KL {same.mean_kl:.5f}"
            )
    if job.speed is not None:
        print(job.speed.sentence)
    return job.model


def _print(errors: Sequence[LayerError], images: int) -> None:
    print(f"\nSignal to noise of each layer on {images:,} of them, worst first:\n")
    print(f"{'adds itself':>12} {'with all before it':>19}  layer")
    for error in errors:
        own, carried = ("exact" if value is None else f"{value:.1f} dB" for value in (error.own, error.carried))
        print(f"{own:>12} {carried:>19}  {error.layer}")


if __name__ == "__main__":
    sys.exit(main())
