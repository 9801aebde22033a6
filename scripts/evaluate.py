"""Evaluate models on labelled images: how often they are right, and whether their confidences can be trusted.

    python -m scripts.evaluate STACK.zip --labels folders --html report.html
    python -m scripts.evaluate FOLDER --labels labels.csv --model starter --engines openvino-int8 pytorch-fp32

Labels are the names of the folders that images lie in, or a CSV of file name and class. Several models or engines are
compared with each other, image by image. Exit code 0: every label was judged; 1: some were not (the output says which
and why); 2: nothing could be done; 130: interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from core.base.settings import Settings, get_settings
from core.engines.registry import default_engine, engine_names
from core.models.registry import ModelRegistry
from core.recognition.results import THRESHOLD
from core.recognition.service import RecognitionService
from core.stacks.stack import ImageStack
from core.stacks.store import StackStore
from core.trust.evaluation.evaluation import Evaluation, Subject
from core.trust.evaluation.job import EvaluationJob, EvaluationPlan
from core.trust.evaluation.known import KnownClasses, known_from_csv, known_from_folders
from core.trust.evaluation.report import EvaluationReport, RunReport
from core.trust.evaluation.sentences import (
    accuracy_sentence,
    comparison_sentence,
    coverage_sentence,
    interval,
    known_sentence,
    share_text,
)
from core.trust.evaluation.service import EvaluationService
from core.trust.evaluation.tables import classes_csv, images_csv
from scripts._arguments import FOLDERS, add_range_argument, batch_size_argument
from scripts._running import follow, run_command
from scripts._stacks import open_stack, print_skipped

SAID_AT = 0.8  # confidence of which the output says what it would leave
PAIRS_PRINTED = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _run(options, get_settings()), about=options.stack)


def _run(options: argparse.Namespace, settings: Settings) -> int:
    found, report = _evaluate(options, settings)
    _write(options, found, report)
    _print(report)
    return 1 if found.left_out else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", type=Path, metavar="STACK.zip|FOLDER", help="ZIP, TAR or folder of images")
    parser.add_argument("--labels", required=True, metavar=f"{FOLDERS}|FILE.csv", help="where the classes stand")
    parser.add_argument("--model", nargs="+", metavar="NAME", help="names of installed models (default: the app's)")
    parser.add_argument(
        "--engines", nargs="+", choices=engine_names(), default=[default_engine().name], help="default: %(default)s"
    )
    parser.add_argument("--batch-size", type=batch_size_argument, default=0, metavar="auto|N", help="default: auto")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report to read and to pass on")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a line for each image")
    parser.add_argument("--classes-csv", type=Path, metavar="FILE", help="write a line for each class")
    add_range_argument(parser)
    return parser


def _evaluate(options: argparse.Namespace, settings: Settings) -> tuple[Evaluation, EvaluationReport]:
    registry, store = ModelRegistry(settings), StackStore(settings)
    try:
        models = [registry.get(name) for name in options.model or [None]]
        stack = open_stack(store, options.stack, options.value_range)
        print_skipped(stack)
        subjects = tuple(Subject(model, engine) for model in models for engine in options.engines)
        plan = EvaluationPlan(stack, _labels(options.labels, stack), subjects, batch_size=options.batch_size)
        return _judge(EvaluationService(RecognitionService(settings)).evaluate(plan))
    finally:
        store.close()


def _labels(source: str, stack: ImageStack) -> KnownClasses:
    names = [entry.name for entry in stack.entries]
    return known_from_folders(names) if source == FOLDERS else known_from_csv(Path(source).read_bytes(), names)


def _judge(job: EvaluationJob) -> tuple[Evaluation, EvaluationReport]:
    """Show progress until the job ends; what it found."""
    with tqdm(total=job.progress.total, unit="image", file=sys.stderr) as bar:

        def show() -> None:
            progress = job.progress
            bar.set_description(progress.label, refresh=False)
            bar.update(progress.done - bar.n)

        follow(job, show)
    assert job.evaluation is not None and job.report is not None  # noqa: S101 - it is done
    return job.evaluation, job.report


def _write(options: argparse.Namespace, found: Evaluation, report: EvaluationReport) -> None:
    texts: dict[Path | None, Callable[[], str]] = {
        options.json: lambda: report.model_dump_json(indent=1) + "\n",
        options.html: lambda: _html(report),
        options.csv: lambda: images_csv(found),
        options.classes_csv: lambda: classes_csv(found),
    }
    for path, text in texts.items():
        if path is not None:
            path.write_text(text(), encoding="utf-8")


def _html(report: EvaluationReport) -> str:
    from core.trust.evaluation.html_report import to_html  # its charts take a second to load

    return to_html(report)


def _print(report: EvaluationReport) -> None:
    for note in report.notes:
        print(note.text)
    for run in report.runs:
        _print_run(run)
    for pair in report.comparisons:
        print(f"\n{pair.first} and {pair.second} name the same class on {share_text(pair.agreement)} of images.")
        print(comparison_sentence(pair))


def _print_run(run: RunReport) -> None:
    print(f"\n{run.title}, {run.engine}: {accuracy_sentence(run)}")
    for note in run.notes:
        print(note.text)
    print(
        f"Mean confidence {run.mean_confidence:.1%}; expected calibration error {interval(run.calibration_error)}, "
        f"of which chance alone explains up to {run.calibration_error_by_chance:.3f}."
    )
    print(next(coverage_sentence(one) for one in run.coverage if one.threshold == SAID_AT))
    if run.known is not None:
        print(f"None of these: {known_sentence(run.known, THRESHOLD)}")
    for pair in run.confusion[:PAIRS_PRINTED]:
        print(f"{pair.images:6,}  {pair.known} taken for {pair.named}")


if __name__ == "__main__":
    sys.exit(main())
