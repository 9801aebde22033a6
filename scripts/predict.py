"""Recognise every image of a ZIP, TAR or folder.

    python -m scripts.predict STACK.zip --engine openvino-int8 --out results.csv

Without --out a line for each image goes to standard output. --maps FOLDER keeps where the network looked for each
image's first class: small PNGs (a pixel for each place, with colours and numbers), or overlays to look at. Exit code
0: every image was recognised; 1: some could not be read (the output says why); 2: nothing could be done.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from tqdm import tqdm

from core.base.settings import MIB, get_settings
from core.engines.registry import default_engine, engine_label, engine_names
from core.models.registry import ModelRegistry
from core.recognition.recognize import recognize
from core.recognition.report import predictions_csv, predictions_json
from core.recognition.results import Prediction, Recognition
from core.stacks.store import StackStore
from core.trust.map_folder import Form, MapFolder
from scripts._arguments import add_range_argument, batch_size_argument
from scripts._running import run_command
from scripts._stacks import open_stack, print_skipped

MAPS_WAITING = 4 * MIB  # of maps on their way to the disk
FORMATS = {".csv": predictions_csv, ".json": predictions_json}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; see the module's text."""
    options = _parser().parse_args(arguments)
    return run_command(lambda: _run(options), about=options.stack)


def _run(options: argparse.Namespace) -> int:
    result = _predict(options)
    _write(result, options.out)
    timing = result.timing
    print(
        f"{engine_label(result.engine)} ({result.precision}), model {result.model}: {timing.images} images in "
        f"{timing.total_seconds:.2f} s, {timing.images_per_second:.0f} images/s, batches of {timing.batch_size}",
        file=sys.stderr,
    )
    if not any(prediction.calibrated for prediction in result.predictions):
        print("Confidences are not calibrated: they say what is likelier, not how often it is right.", file=sys.stderr)
    broken = sum(prediction.error is not None for prediction in result.predictions)
    if broken:
        print(f"{broken} of {timing.images} images could not be read; the output says why.", file=sys.stderr)
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "stack", type=Path, metavar="STACK.zip|FOLDER", help="ZIP, TAR or folder of images, or one image"
    )
    parser.add_argument("--engine", choices=engine_names(), default=default_engine().name, help="default: %(default)s")
    parser.add_argument("--model", help="name of an installed model (default: the app's)")
    parser.add_argument("--batch-size", type=batch_size_argument, default=0, metavar="auto|N", help="default: auto")
    parser.add_argument("--out", type=_output, metavar="results.csv|.json", help="file to write")
    parser.add_argument(
        "--maps", type=Path, metavar="FOLDER", help="keep where the network looked, a PNG for each image"
    )
    parser.add_argument("--maps-form", choices=get_args(Form), default="png", help="default: %(default)s")
    add_range_argument(parser)
    return parser


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in FORMATS:
        raise argparse.ArgumentTypeError(f"{text!r} must end in {' or '.join(FORMATS)}")
    return path


def _predict(options: argparse.Namespace) -> Recognition:
    settings = get_settings()
    model = ModelRegistry(settings).get(options.model)
    store = StackStore(settings)
    try:
        stack = open_stack(store, options.stack, options.value_range)
        print_skipped(stack)
        maps = MapFolder(stack, model, options.maps, options.maps_form) if options.maps else None
        with tqdm(total=len(stack), unit="image", file=sys.stderr) as bar:

            def on_batch(predictions: Sequence[Prediction]) -> None:
                bar.update(len(predictions))
                if maps:
                    maps.written(most_waiting=MAPS_WAITING)

            result = recognize(
                stack,
                range(len(stack)),
                model,
                options.engine,
                settings,
                batch_size=options.batch_size,
                on_batch=on_batch,
                also=maps.also if maps else None,
            )
        if maps:
            maps.written()
        return result
    finally:
        store.close()


def _write(result: Recognition, out: Path | None) -> None:
    if out is not None:
        out.write_text(FORMATS[out.suffix.lower()](result.predictions), encoding="utf-8")
        return
    for prediction in result.predictions:
        answer = prediction.error or f"{prediction.caption} {prediction.confidence:.1%}"
        print(f"{prediction.filename}: {answer}")


if __name__ == "__main__":
    sys.exit(main())
