"""Teach a model classes of your own from labelled examples, and install it.

    python -m scripts.teach STACK.zip --labels folders --name steel --report report.json
    python -m scripts.teach FOLDER --labels labels.csv --per-class 20 --seed 1 --name steel

Labels are the names of the folders that images lie in, or a CSV of file name and class. With --per-class so many of
each class are learnt from, and the others judge the INT8 model. Exit code 0: the model is installed, and
`python -m scripts.predict --model NAME` uses it; 1: INT8 strays too far from FP32, and it was not installed; 2: nothing
could be done; 130: interrupted.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from core.base.settings import Settings, get_settings
from core.engines.registry import default_engine
from core.models import imagenet
from core.models.install import installed_folder
from core.models.registry import ModelRegistry
from core.recognition.recognize import recognize
from core.recognition.results import Prediction
from core.recognition.service import RecognitionService
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from core.teach.features import Looker
from core.teach.job import TeachingJob
from core.teach.lesson import Lesson
from core.teach.report import TeachingReport
from core.trust.label_files import from_csv, from_folders
from scripts._arguments import FOLDERS, add_range_argument
from scripts._running import follow, printing_steps, run_command
from scripts._stacks import open_stack, print_skipped


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    options = _parser().parse_args(arguments)
    return run_command(
        lambda: _run(options, get_settings()), about=options.stack, interrupted="Interrupted. No model was installed."
    )


def _run(options: argparse.Namespace, settings: Settings) -> int:
    report = _teach(options, settings)
    if options.report is not None:
        options.report.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    _print(report)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", type=Path, metavar="STACK.zip|FOLDER", help="ZIP, TAR or folder of images")
    parser.add_argument("--labels", required=True, metavar=f"{FOLDERS}|FILE.csv", help="where the classes stand")
    parser.add_argument("--per-class", type=_positive, metavar="N", help="learn from so many of each class")
    parser.add_argument("--seed", type=int, default=0, help="which ones; default: %(default)s")
    parser.add_argument(
        "--backbone", default="starter", metavar=f"starter|{imagenet.NAME}|NAME", help="default: %(default)s"
    )
    parser.add_argument("--stages", choices=["all", "last"], default="all", help="what the head looks at")
    parser.add_argument("--train-longer", action="store_true", help="examples in another light, the last stage too")
    parser.add_argument("--name", required=True, help="name of the installed model")
    parser.add_argument("--report", type=Path, metavar="report.json", help="file to write")
    add_range_argument(parser)
    return parser


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _teach(options: argparse.Namespace, settings: Settings) -> TeachingReport:
    registry, store = ModelRegistry(settings), StackStore(settings)
    try:
        backbone = registry.get(options.backbone)
        folder = installed_folder(options.name, settings)
        stack = open_stack(store, options.stack, options.value_range)
        print_skipped(stack)
        labels = _labels(options.labels, stack)
        learnt = labels if options.per_class is None else choose(labels, options.per_class, options.seed)
        classes = tuple(sorted(set(labels.values())))
        looker = Looker(RecognitionService(settings), stack, backbone)
        lesson = Lesson(learnt, classes, folder, options.name, options.stages, longer=options.train_longer)
        job = TeachingJob(looker, lesson, settings)
        follow(job, printing_steps(job, sys.stderr))
        assert job.report is not None  # noqa: S101 - it is done
        held_out = [index for index in sorted(labels) if index not in learnt and stack.error(index) is None]
        return job.report.model_copy(update=_judge(stack, labels, held_out, options.name, settings))
    finally:
        store.close()


def choose(labels: Mapping[int, str], each: int, seed: int) -> dict[int, str]:
    """``each`` of every class, or all there are, by the seed alone."""
    chosen: dict[int, str] = {}
    for name in sorted(set(labels.values())):
        own = sorted(index for index, label in labels.items() if label == name)
        picked = random.Random(f"{seed} {name}").sample(own, min(each, len(own)))  # noqa: S311 - no secret
        chosen.update(dict.fromkeys(picked, name))
    return chosen


def _labels(source: str, stack: ImageStack) -> dict[int, str]:
    names = [entry.name for entry in stack.entries]
    if source == FOLDERS:
        return from_folders(names)
    found = from_csv(Path(source).read_bytes(), names)
    if found.unknown:
        print(f"{source}: {found.unknown:,} lines name files that are not in the stack.", file=sys.stderr)
    return dict(found.by_image)


def _judge(
    stack: ImageStack, labels: Mapping[int, str], held_out: Sequence[int], name: str, settings: Settings
) -> dict[str, object]:
    """What the installed model's INT8 says of images that nothing was learnt from."""
    if not held_out:
        return {}
    model = ModelRegistry(settings).get(name)
    with tqdm(total=len(held_out), unit="image", desc="held out", file=sys.stderr) as bar:

        def on_batch(predictions: Sequence[Prediction]) -> None:
            bar.update(len(predictions))

        found = recognize(stack, held_out, model, default_engine().name, settings, on_batch=on_batch)
    right = sum(one.label == labels[one.index] for one in found.predictions)
    return {"images_held_out": len(held_out), "accuracy_held_out": round(right / len(held_out), 4)}


def _print(report: TeachingReport) -> None:
    estimate = report.accuracy_cross_validated
    print(
        f"{report.model}: {len(report.classes)} classes from {report.images_labelled:,} images. Cross-validated "
        f"{estimate.value:.1%} right (95% interval {estimate.low:.1%} to {estimate.high:.1%})."
    )
    if report.accuracy_held_out is not None:
        print(f"INT8 on {report.images_held_out:,} images held out: {report.accuracy_held_out:.1%} right.")
    print(f"INT8 and FP32 give the same class to {report.agreement_int8_fp32:.1%}.")
    if report.train_longer:
        print(f"Trained longer: {report.train_longer}.")
    print(f"20 more of {report.helps_most!r} would help most.")
    for note in report.notes:
        print(note)


if __name__ == "__main__":
    sys.exit(main())
