"""Make an INT8 model: get the weights, calibrate, quantize, judge, install.

    python -m scripts.optimize --model imagenet --calibrate STACK.zip
    python -m scripts.optimize --weights own.pth --labels labels.txt --name parts --calibrate STACK.zip

Without --calibrate the sample stack calibrates, which is better than nothing. Exit code 0: the INT8 model agrees with
FP32 well enough and is installed; 1: it does not, and was not installed; 2: nothing could be done, for example offline;
130: interrupted. In a Docker build that may be offline, --optional says why nothing was installed and exits with 0:

    RUN python -m scripts.optimize --model imagenet --optional
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from core.base.errors import Int8NotGoodEnough, InvalidRequest
from core.base.settings import Settings, get_settings
from core.models import imagenet
from core.models.install import copy_model, installed_folder, write_model
from core.models.labels import read_labels
from core.models.model import Model
from core.models.registry import ModelRegistry
from core.optimize.calibration import DEFAULT_CALIBRATION_IMAGES, labels_from_csv, labels_from_folders, split
from core.optimize.quantize import LADDER, RECIPES, Recipe
from core.optimize.run import CalibrationPlan, OptimizationJob
from core.stacks.sample import make_sample_stack
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from scripts._running import INTERRUPTED, follow, printing_steps, run_command
from scripts._stacks import open_stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    options = _parser().parse_args(arguments)
    code = run_command(
        lambda: _optimize(options, get_settings()), interrupted="Interrupted. The INT8 model was not installed."
    )
    return 0 if options.optional and code != INTERRUPTED else code


def _optimize(options: argparse.Namespace, settings: Settings) -> int:
    store = StackStore(settings)
    try:
        model = _model(options, settings)
        stack = _stack(options.calibrate, store)
        plan = CalibrationPlan(stack, split(len(stack), options.count), _labels(options.classes, stack, model))
        recipes = LADDER if options.recipe == "auto" else (RECIPES[options.recipe],)
        made = _climb(model, plan, recipes, store, settings)
        name = options.name or (model.card.name if model.folder.parent == settings.installed_dir else "")
        name = name or f"{model.card.name}-calibrated"
        installed = copy_model(made, installed_folder(name, settings), title=model.card.title, settings=settings)
        print(f"Installed as {name}: {installed.folder}")
        return 0
    finally:
        store.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--model", default="starter", help=f"an installed model, or {imagenet.NAME} (default: %(default)s)"
    )
    source.add_argument("--weights", type=Path, metavar="FILE", help="your own ResNet18: .safetensors or .pth")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="its class labels, one a line or JSON")
    parser.add_argument("--name", help="name of the installed model")
    parser.add_argument("--calibrate", type=Path, metavar="STACK.zip|FOLDER", help="images like those to recognise")
    parser.add_argument("--count", type=int, default=DEFAULT_CALIBRATION_IMAGES, help="default: %(default)s")
    parser.add_argument("--classes", type=Path, metavar="FILE.csv", help="file name and class of images of the stack")
    parser.add_argument("--optional", action="store_true", help="exit with 0 also where nothing could be installed")
    parser.add_argument("--recipe", choices=["auto", *RECIPES], default="auto", help="default: each until one is good")
    return parser


def _model(options: argparse.Namespace, settings: Settings) -> Model:
    """The model to optimise, installed first where it is not."""
    if options.weights is not None:
        if options.labels is None or options.name is None:
            raise InvalidRequest("--weights needs --labels and --name as well.")
        labels = partial(read_labels, options.labels.read_bytes())
        folder = installed_folder(options.name, settings)
        return write_model(options.weights, labels, folder, title=options.name, data="not said", settings=settings)
    registry = ModelRegistry(settings)
    if options.model != imagenet.NAME or imagenet.NAME in registry.names:
        return registry.get(options.model)
    with tqdm(unit="B", unit_scale=True, desc="weights", file=sys.stderr) as bar:

        def on_progress(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return imagenet.install(settings, on_progress=on_progress)


def _stack(path: Path | None, store: StackStore) -> ImageStack:
    if path is None:
        print("No images given to calibrate on: taking the sample stack.", file=sys.stderr)
        packed = io.BytesIO()
        make_sample_stack(packed)
        packed.seek(0)
        return store.create(packed, "sample-stack.zip")
    return open_stack(store, path)


def _labels(path: Path | None, stack: ImageStack, model: Model) -> NDArray[np.int64]:
    names = [entry.name for entry in stack.entries]
    if path is not None:
        return labels_from_csv(path.read_bytes(), names, model.card.classes)
    return labels_from_folders(names, model.card.classes)


def _climb(
    model: Model, plan: CalibrationPlan, recipes: Sequence[Recipe], store: StackStore, settings: Settings
) -> Model:
    """Try recipes until one passes the gate; print each run's steps."""
    for recipe in recipes:
        job = OptimizationJob(model, plan, recipe, store.folder / "models" / recipe.name, settings)
        follow(job, printing_steps(job, sys.stdout))
        assert job.model is not None and job.report is not None  # noqa: S101 - it is done
        same = job.report.agreement
        print(
            f"{recipe.title}: same class as FP32 on {same.top1:.2%} of {same.images} images "
            f"(95% interval {same.low:.2%} to {same.high:.2%}), mean KL {same.mean_kl:.5f}"
        )
        if job.report.fp32 and job.report.int8:
            fp32, int8 = job.report.fp32, job.report.int8
            print(f"Top-1 accuracy on {fp32.images} labelled images: FP32 {fp32.top1:.2%}, INT8 {int8.top1:.2%}")
        if job.before and job.report.is_worse_than(job.before):
            print(f"The INT8 model before does better: {job.before.agreement.top1:.2%} of the same images.")
        if job.report.passed:
            return job.model
    raise Int8NotGoodEnough(f"INT8 stays below {plan.asked:.0%} agreement with FP32; it was not installed.")


if __name__ == "__main__":
    sys.exit(main())
