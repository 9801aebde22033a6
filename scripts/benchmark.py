"""Measure the engines on this machine with a stack of your own.

    python -m scripts.benchmark STACK.zip
    python -m scripts.benchmark STACK.zip --counts 50,100 --engines openvino-int8,pytorch-fp32 --json figures.json

Prints a Markdown table; --json and --csv keep all figures. Exit code 0: measured; 2: nothing could be measured.
For figures that mean something, leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from tqdm import tqdm

from core.benchmark.benchmark_app import compare_with_benchmark_app
from core.benchmark.formats import report_csv, report_json, report_markdown
from core.benchmark.plan import DEFAULT_COUNTS, DEFAULT_MODES, MODES, SUBJECT_NAMES, BenchmarkPlan
from core.benchmark.report import Report
from core.benchmark.run import run_benchmark
from core.engines.openvino import INT8
from core.recognition.classifier import Classifier
from core.runtime import AppRuntime, get_runtime
from scripts._arguments import batch_size_argument
from scripts._running import run_command
from scripts._stacks import open_stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _run(options), about=options.stack)


def _run(options: argparse.Namespace) -> int:
    runtime = get_runtime()
    try:
        report = _measure(options, runtime)
        print(report_markdown(report))
        for path, write in ((options.json, report_json), (options.csv, report_csv)):
            if path is not None:
                path.write_text(write(report), encoding="utf-8")
    finally:
        runtime.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "stack", type=Path, metavar="STACK.zip|FOLDER", help="ZIP, TAR or folder of images, or one image"
    )
    parser.add_argument("--counts", type=_counts, default=DEFAULT_COUNTS, metavar="50,100", help="images in a pass")
    parser.add_argument(
        "--engines",
        type=_some_of(SUBJECT_NAMES),
        default=SUBJECT_NAMES,
        metavar="NAME,NAME",
        help=f"of {', '.join(SUBJECT_NAMES)} (default: all)",
    )
    parser.add_argument(
        "--modes",
        type=_some_of(MODES),
        default=DEFAULT_MODES,
        metavar="MODE,MODE",
        help=f"of {', '.join(MODES)} (default: {','.join(DEFAULT_MODES)})",
    )
    parser.add_argument("--repeats", type=int, default=3, help="passes that count (default: %(default)s)")
    parser.add_argument("--batch-size", type=batch_size_argument, default=0, metavar="auto|N", help="default: auto")
    parser.add_argument("--model", metavar="NAME", help="an installed model (default: the app's)")
    parser.add_argument("--sweep", action="store_true", help="measure batch sizes x streams too")
    parser.add_argument(
        "--compare-benchmark-app", action="store_true", help="run OpenVINO's benchmark_app in turn with the INT8 engine"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep everything, also for the page to compare")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="keep one line for each run")
    return parser


def _counts(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers such as 50,100")
    return tuple(map(int, parts))


def _some_of(names: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        for part in text.split(","):
            if part not in names:
                raise argparse.ArgumentTypeError(f"{part!r} is none of {', '.join(names)}")
        return tuple(text.split(","))

    return parse


def _measure(options: argparse.Namespace, runtime: AppRuntime) -> Report:
    settings = runtime.settings
    plan = BenchmarkPlan(
        engines=options.engines,
        modes=options.modes,
        counts=options.counts,
        batch_size=options.batch_size,
        repeats=options.repeats,
        sweep=options.sweep,
    )
    plan.check(settings)
    model = runtime.models.get(options.model)
    stack = open_stack(runtime.store, options.stack)
    with tqdm(total=1, unit="image", file=sys.stderr) as bar:

        def on_step(done: int, total: int, text: str) -> None:
            bar.total = total
            bar.set_description(text, refresh=False)
            bar.update(done - bar.n)

        report = run_benchmark(plan, stack, model, settings, runtime.store.folder, on_step=on_step)
    if options.compare_benchmark_app:
        size = Classifier(model, INT8.name).batch_size(options.batch_size, settings)
        compared = compare_with_benchmark_app(model, size, options.repeats, Event())
        report = report.model_copy(update={"benchmark_app": compared})
    return report


if __name__ == "__main__":
    sys.exit(main())
